/** Where files are dropped or chosen. */

import { count, h } from "./dom.js";
import { dropped } from "./upload.js";

const IMAGES = ".png,.jpg,.jpeg,.tif,.tiff,.bmp";
const TABLES = ".csv,.parquet,.pq";

export class OddDrop extends HTMLElement {
  #input = h("input", {
    type: "file",
    multiple: true,
    class: "unseen",
    tabindex: -1,
    "aria-hidden": "true",
  });
  #button = h("button", { class: "main", onclick: () => this.#input.click() }, "Choose files");
  #again = h("button", { hidden: true, onclick: () => this.#give(this.#before) });
  #before = [];
  #clear = h("button", { onclick: () => this.dispatchEvent(new Event("clear")) }, "Clear all");
  #what = h("p", { class: "what" });
  #more = h("div", { class: "more" });
  #context = h("div", { class: "context" });

  connectedCallback() {
    const words = h("div", {}, this.#what, this.#more, this.#context);
    this.replaceChildren(words, h("div", { class: "buttons" }, this.#button, this.#again, this.#clear), this.#input);
    this.#input.addEventListener("change", () => {
      this.#give([...this.#input.files]);
      this.#input.value = "";
    });
    this.#listen();
    this.show(null, false);
  }

  /** Show what the model takes; small once there are results. */
  show(model, small) {
    if (model !== this.model) this.#context.replaceChildren(...(model ? contextFields(model) : []));
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

  /** Offer files that another model has scored. */
  offer(files) {
    this.#before = files;
    this.#again.hidden = !files.length;
    const what = files.length === 1 ? "file" : count(files.length, "file");
    this.#again.textContent = `The same ${what}`;
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

  /** The context of the images, such as the camera, or null where the model asks for none. */
  #known() {
    const fields = [...this.#context.querySelectorAll("input")];
    if (!fields.length) return null;
    const value = ({ type, value, valueAsNumber }) => {
      if (value === "") return null;
      if (type === "number") return valueAsNumber;
      return { true: true, false: false }[value] ?? value;
    };
    return Object.fromEntries(fields.map((field) => [field.name, value(field)]));
  }

  #give(files) {
    if (!files.length || !this.model) return;
    this.offer([]);
    const context = this.#known();
    for (const file of files) {
      file.path ??= file.webkitRelativePath || file.name;
      file.context = context;
    }
    this.dispatchEvent(new CustomEvent("files", { detail: files }));
  }
}

// What is known of images; of rows the table itself tells.
function contextFields({ kind, condition }) {
  if (kind !== "image" || !condition) return [];
  return condition.map(({ name, kind }) => {
    const field = h("input", { type: kind === "numeric" ? "number" : "text", name, step: "any" });
    return h("label", {}, `${name} of these images `, field);
  });
}

function explain({ kind, columns, condition }) {
  if (kind === "image") {
    return [h("p", {}, "PNG, JPEG, TIFF or BMP. They go to this service and nowhere else.")];
  }
  const needed = [...columns, ...(condition ?? [])];
  const names = needed.map(({ name, kind }) =>
    h("li", {}, h("code", {}, String(name)), h("span", {}, ` ${kind}`)),
  );
  const list = h("ul", { class: "columns" }, ...names);
  const summary = h("summary", {}, `It needs ${count(needed.length, "column")}`);
  return [
    h("p", {}, "CSV or Parquet. It goes to this service and nowhere else."),
    h("details", {}, summary, list),
  ];
}

customElements.define("odd-drop", OddDrop);
