/** The samples, most anomalous first. Only the rows in view exist, to keep a hundred thousand fast. */

import { announce, h, short, whole } from "./dom.js";
import { heat } from "./heatmap.js";

const MARGIN = 6; // rows beyond the edge, drawn in advance
const THUMB = 96;

export class OddList extends HTMLElement {
  #rows = new Map(); // by sample
  #title = h("h2", { id: "list-title" }, "Most anomalous first");
  #only = h("input", { type: "checkbox", id: "only", onchange: () => this.#filter() });
  #sizer = h("div", { class: "sizer", role: "presentation" });
  #box = h("div", {
    class: "box",
    role: "listbox",
    tabindex: 0,
    "aria-labelledby": "list-title",
    onscroll: () => this.#draw(),
    onkeydown: (event) => this.#key(event),
    onclick: (event) => this.#click(event),
  });
  #nothing = h("p", { class: "nothing" });

  connectedCallback() {
    const only = h("label", { for: "only" }, this.#only, " Flagged only");
    this.#box.append(this.#sizer);
    this.replaceChildren(h("div", { class: "head" }, this.#title, only), this.#box, this.#nothing);
    new ResizeObserver(() => this.#draw()).observe(this.#box);
  }

  set for(results) {
    this.results = results;
    results.addEventListener("samples", () => this.#refresh());
    results.addEventListener("threshold", () => this.#refresh());
    results.addEventListener("selection", () => this.#draw());
    results.addEventListener("explained", ({ detail }) => {
      this.#rows.get(detail)?.remove();
      this.#rows.delete(detail);
      this.#draw();
    });
  }

  focus() {
    this.#box.focus();
  }

  // The stylesheet sets the height of a row; here it is only read.
  get #height() {
    return parseFloat(getComputedStyle(this.#box).getPropertyValue("--row")) || 56;
  }

  #refresh() {
    const { visible, samples, flaggedOnly, model } = this.results;
    if (!samples.length) this.#box.scrollTop = 0;
    this.#only.checked = flaggedOnly;
    this.#box.hidden = !visible.length;
    this.#nothing.hidden = visible.length > 0;
    this.#nothing.textContent = samples.length
      ? "No sample scores above the threshold. Lower it, or show all samples."
      : "";
    this.#box.classList.toggle("images", model?.kind === "image");
    this.#sizer.style.height = `${visible.length * this.#height}px`;
    this.#draw();
  }

  #draw() {
    if (!this.results) return;
    const { visible, selected } = this.results;
    const height = this.#height;
    const first = Math.max(0, Math.floor(this.#box.scrollTop / height) - MARGIN);
    const last = Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / height) + MARGIN;
    const wanted = new Map();
    visible.slice(first, last).forEach((sample, i) => wanted.set(sample, first + i));
    for (const [sample, row] of this.#rows) {
      if (wanted.has(sample)) continue;
      row.remove();
      this.#rows.delete(sample);
    }
    // Screen readers follow the order of the elements, not their position.
    for (const [sample, i] of wanted) {
      const row = this.#place(sample, i, visible.length);
      const there = this.#sizer.children[i - first] ?? null;
      if (row !== there) this.#sizer.insertBefore(row, there);
    }
    const active = this.#rows.get(selected);
    if (active) this.#box.setAttribute("aria-activedescendant", active.id);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  #place(sample, i, n) {
    const { results } = this;
    const row = this.#rows.get(sample) ?? makeRow(sample, results);
    this.#rows.set(sample, row);
    const flagged = results.isFlagged(sample);
    row.style.setProperty("--i", i);
    row.setAttribute("aria-setsize", n);
    row.setAttribute("aria-posinset", i + 1);
    row.setAttribute("aria-selected", sample === results.selected);
    row.classList.toggle("odd", flagged);
    row.querySelector(".decision").textContent = flagged ? "flagged" : "";
    row.querySelector(".bar").style.setProperty("--share", results.axis.at(sample.anomaly_score));
    row.querySelector(".bar").style.setProperty("--at", results.axis.at(results.threshold));
    return row;
  }

  #filter() {
    this.#box.scrollTop = 0;
    this.results.showFlaggedOnly(this.#only.checked);
    announce(`${whole(this.results.visible.length)} samples shown`);
  }

  #click(event) {
    const id = event.target.closest("[role=option]")?.id;
    const entry = [...this.#rows].find(([, row]) => row.id === id);
    if (!entry) return;
    this.results.select(entry[0]);
    this.dispatchEvent(new Event("open"));
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.#box.clientHeight / this.#height) - 1);
    const far = this.results.visible.length;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -far, End: far };
    if (event.key in steps) this.step(steps[event.key]);
    else if (event.key === "Enter") this.dispatchEvent(new CustomEvent("open", { detail: true }));
    else return;
    event.preventDefault();
  }

  /** Move the selection by a number of rows. */
  step(by) {
    const { visible, selected } = this.results;
    if (!visible.length) return;
    const to = Math.max(0, Math.min(visible.length - 1, visible.indexOf(selected) + by));
    const top = to * this.#height;
    const below = top + this.#height - this.#box.clientHeight;
    this.#box.scrollTop = Math.max(below, Math.min(top, this.#box.scrollTop));
    this.results.select(visible[to]);
  }
}

let ids = 0;

function makeRow(sample, { model, top }) {
  const image = model.kind === "image";
  const words = h(
    "span",
    { class: "words" },
    h("span", { class: "name" }, sample.name),
    image ? null : h("span", { class: "why" }, reasons(sample)),
    h("span", { class: "bar", "aria-hidden": "true" }),
  );
  const score = h("span", { class: "score" }, short(sample.anomaly_score));
  const verdict = h("span", { class: "verdict" }, score, h("span", { class: "decision" }));
  const attributes = { role: "option", id: `sample-${ids++}` };
  return h("div", attributes, image ? thumb(sample, top) : null, words, verdict);
}

function thumb(sample, top) {
  const picture = h("img", { src: sample.url, alt: "", decoding: "async" });
  const box = h("span", { class: "thumb", "aria-hidden": "true" }, picture);
  picture.addEventListener("error", () => picture.remove()); // a TIFF: only the map is shown
  if (sample.explanation) {
    heat(sample.explanation, top, THUMB).then((map) => box.append(map));
  }
  return box;
}

function reasons({ explanation }) {
  const largest = (explanation?.contributions ?? []).filter((c) => c.contribution > 0).slice(0, 2);
  return largest.map(({ column, value }) => `${column} ${short(value)}`).join(" · ");
}

customElements.define("odd-list", OddList);
