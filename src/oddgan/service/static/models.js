/** The choice of a model, and its description. */

import { count, h, percent, short } from "./dom.js";

export class OddModels extends HTMLElement {
  #select = h("select", { id: "model", onchange: () => this.#choose() });
  #facts = h("p", { class: "facts" });

  connectedCallback() {
    const label = h("label", { for: "model" }, "Model");
    this.replaceChildren(label, this.#select, this.#facts);
    this.#select.disabled = true;
    this.#facts.textContent = "Loading the models …";
  }

  /** Show the models, and choose the first. */
  show(models) {
    this.models = models;
    this.#select.replaceChildren(...models.map(({ name }) => h("option", { value: name }, name)));
    this.#select.disabled = false;
    this.#choose();
  }

  /** Show that there are no models. */
  fail() {
    this.#facts.textContent = "No model";
  }

  get model() {
    return this.models?.[this.#select.selectedIndex] ?? null;
  }

  /** Lock the choice while samples are scored. */
  set busy(busy) {
    this.#select.disabled = busy;
  }

  #choose() {
    this.#facts.textContent = facts(this.model);
    this.dispatchEvent(new Event("choose"));
  }
}

function facts({ detector, image, columns, target_fpr, threshold }) {
  const input = image ? pixels(image) : `tables of ${count(columns.length, "column")}`;
  const share = target_fpr == null ? "" : `, set to flag ${percent(target_fpr)} of normal samples`;
  const flags = threshold == null ? "flags nothing: too few held-out samples" : `threshold ${short(threshold)}${share}`;
  return `${detector} · ${input} · ${flags}`;
}

function pixels({ height, width, channels }) {
  return `${channels === 1 ? "grey" : "colour"} images, processed at ${width} × ${height} pixels`;
}

customElements.define("odd-models", OddModels);
