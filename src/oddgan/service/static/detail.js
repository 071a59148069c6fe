/** One sample: its score, the decision, and its explanation. */

import { ColumnView } from "./columns.js";
import { h, percent, short } from "./dom.js";
import { ImageView } from "./image.js";

export class OddDetail extends HTMLElement {
  #title = h("h2", { id: "detail-title", tabindex: -1 });
  #facts = h("dl", { class: "facts" });
  #body = h("div", { class: "body" });
  #images = new ImageView();
  #columns = new ColumnView();
  #current = null;

  connectedCallback() {
    const tell = (name) => () => this.dispatchEvent(new Event(name));
    const head = h(
      "div",
      { class: "head" },
      h("button", { class: "back", onclick: tell("back") }, "‹ All samples"),
      this.#title,
      h("button", { onclick: tell("previous"), "aria-label": "More anomalous sample" }, "↑"),
      h("button", { onclick: tell("next"), "aria-label": "Less anomalous sample" }, "↓"),
    );
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", "detail-title");
    this.replaceChildren(head, this.#facts, this.#body);
  }

  set for(results) {
    this.results = results;
    for (const event of ["samples", "threshold", "selection", "explained"]) {
      results.addEventListener(event, () => this.#draw());
    }
  }

  /** Move the focus here. */
  enter() {
    this.#title.focus();
  }

  #draw() {
    const { selected, model, top } = this.results;
    this.classList.toggle("none", !selected);
    this.#title.textContent = selected ? selected.name : "No sample selected";
    this.#facts.replaceChildren(...(selected ? this.#said(selected) : []));
    const state = selected && `${top} ${!selected.explanation} ${selected.askable}`;
    if (selected === this.#current?.selected && state === this.#current?.state) return;
    this.#current = { selected, state };
    if (!selected) this.#body.replaceChildren();
    else if (!selected.explanation && model.kind === "table") this.#body.replaceChildren(mute(selected));
    else if (model.kind === "image") this.#body.replaceChildren(this.#images.show(selected, top));
    else this.#body.replaceChildren(this.#columns.show(selected));
  }

  #said(sample) {
    const flagged = this.results.isFlagged(sample);
    const facts = [
      ["Decision", flagged ? "Flagged" : "Not flagged"],
      ["Score", short(sample.anomaly_score)],
    ];
    if (sample.p_value != null) facts.push(["Normal samples at least as odd", percent(sample.p_value)]);
    if (sample.probability != null) {
      facts.push(["Probability of an anomaly", percent(sample.probability)]);
    }
    return facts.map(([name, value], i) =>
      h("div", { class: i === 0 && flagged ? "odd" : null }, h("dt", {}, name), h("dd", {}, value)),
    );
  }
}

function mute({ askable, unexplained }) {
  const words = askable ? "Loading the explanation …" : unexplained ?? "This model does not explain its scores.";
  return h("p", { class: "notice" }, words);
}

customElements.define("odd-detail", OddDetail);
