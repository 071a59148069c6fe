/** Where files are dropped or chosen. */

import { count, h } from "./dom.js";
import { dropped } from "./upload.js";

const IMAGES = ".png,.jpg,.jpeg,.tif,.tiff,.bmp";
const TABLES = ".csv,.parquet,.pq";

export class OddDrop extends HTMLElement {
  #input = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-hidden": true });
  #button = h("button", { class: "main", onclick: () => this.#input.click() }, "Choose files");
  #clear = h("button", { onclick: () => this.dispatchEvent(new Event("clear")) }, "Clear all");
  #what = h("p", { class: "what" });
  #more = h("div", { class: "more" });

  connectedCallback() {
    const words = h("div", {}, this.#what, this.#more);
    this.replaceChildren(words, h("div", { class: "buttons" }, this.#button, this.#clear), this.#input);
    this.#input.addEventListener("change", () => {
      this.#give([...this.#input.files]);
      this.#input.value = "";
    });
    this.#listen();
    this.show(null, false);
  }

  /** Show what the model takes; small once there are results. */
  show(model, small) {
    this.model = model;
    this.classList.toggle("small", small);
    this.#button.disabled = !model;
    this.#clear.hidden = !small;
    this.#input.accept = model?.kind === "image" ? IMAGES : TABLES;
    const things = model?.kind === "image" ? "images, or a folder of them," : "a table";
    const more = small && model?.kind === "image" ? "more " : small ? "another " : "";
    this.#what.textContent = model
      ? `Drop ${more}${small ? things.replace(/^a |, or.*$/, "") : things} here`
      : "Waiting for a model";
    this.#more.replaceChildren(...(model && !small ? explain(model) : []));
  }

  // Everywhere on the page a drop counts; else the browser would open the file and leave the page.
  #listen() {
    let inside = 0;
    const mark = (by) => {
      inside = Math.max(0, inside + by);
      this.classList.toggle("over", inside > 0);
    };
    addEventListener("dragenter", () => mark(1));
    addEventListener("dragleave", () => mark(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", async (event) => {
      event.preventDefault();
      mark(-inside);
      this.#give(await dropped(event.dataTransfer));
    });
  }

  #give(files) {
    if (!files.length || !this.model) return;
    for (const file of files) file.path ??= file.webkitRelativePath || file.name;
    this.dispatchEvent(new CustomEvent("files", { detail: files }));
  }
}

function explain({ kind, image, columns }) {
  if (kind === "image") {
    const size = `The model sees them at ${image.width} × ${image.height}`;
    return [h("p", {}, `PNG, JPEG, TIFF or BMP. ${size}. They go to this service and nowhere else.`)];
  }
  const names = columns.map(({ name, kind }) =>
    h("li", {}, h("code", {}, String(name)), h("span", {}, ` ${kind}`)),
  );
  const list = h("ul", { class: "columns" }, ...names);
  const summary = h("summary", {}, `It needs ${count(columns.length, "column")}`);
  return [
    h("p", {}, "CSV or Parquet. It goes to this service and nowhere else."),
    h("details", {}, summary, list),
  ];
}

customElements.define("odd-drop", OddDrop);
