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
  #heading = h("p", { class: "what" });
  #more = h("div", { class: "more" });
  #condition = h("div", { class: "condition" });

  connectedCallback() {
    const words = h("div", {}, this.#heading, this.#more, this.#condition);
    this.replaceChildren(words, h("div", { class: "buttons" }, this.#button, this.#again, this.#clear), this.#input);
    this.#input.addEventListener("change", () => {
      this.#give([...this.#input.files]);
      this.#input.value = "";
    });
    this.#listen();
    this.show(null, false);
  }

  /** Show which files the model takes; small once there are results. */
  show(model, small) {
    if (model !== this.model) this.#condition.replaceChildren(...(model ? conditionFields(model) : []));
    this.model = model;
    this.classList.toggle("small", small);
    this.#button.disabled = !model;
    this.#clear.hidden = !small;
    this.#input.accept = model?.kind === "image" ? IMAGES : TABLES;
    const things = model?.kind === "image" ? "images, or a folder of them," : "a table";
    const more = small && model?.kind === "image" ? "more " : small ? "another " : "";
    this.#heading.textContent = model
      ? `Drop ${more}${small ? things.replace(/^a |, or.*$/, "") : things} here`
      : "Waiting for a model";
    this.#more.replaceChildren(...(model && !small ? explain(model) : []));
  }

  /** Offer the files that another model scored. */
  offer(files) {
    this.#before = files;
    this.#again.hidden = !files.length;
    const label = files.length === 1 ? "file" : count(files.length, "file");
    this.#again.textContent = `The same ${label}`;
  }

  // Accept drops anywhere on the page; otherwise the browser would open the file and leave the page.
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

  /** The condition of the images, for example the camera, or null if the model has none. */
  #values() {
    const fields = [...this.#condition.querySelectorAll("input")];
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
    const condition = this.#values();
    for (const file of files) {
      file.path ??= file.webkitRelativePath || file.name;
      file.condition = condition;
    }
    this.dispatchEvent(new CustomEvent("files", { detail: files }));
  }
}

// Fields for the condition of images; rows have theirs in the table.
function conditionFields({ kind, condition }) {
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
  const required = [...columns, ...(condition ?? [])];
  const names = required.map(({ name, kind }) =>
    h("li", {}, h("code", {}, String(name)), h("span", {}, ` ${kind}`)),
  );
  const list = h("ul", { class: "columns" }, ...names);
  const summary = h("summary", {}, `It needs ${count(required.length, "column")}`);
  return [
    h("p", {}, "CSV or Parquet. It goes to this service and nowhere else."),
    h("details", {}, summary, list),
  ];
}

customElements.define("odd-drop", OddDrop);
