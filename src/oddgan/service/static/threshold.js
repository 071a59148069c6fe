/** The threshold: its slider, its position among the scores, and how many samples it flags. */

import { announce, count, h, percent, short, svg, whole } from "./dom.js";
import { bins } from "./scale.js";

const STEPS = 1000;
const BARS = 80;
const HEIGHT = 100;

export class OddThreshold extends HTMLElement {
  #number = h("p", { class: "flagged" });
  #promise = h("p", { class: "promise" });
  #bars = svg("svg", {
    viewBox: `0 0 ${BARS} ${HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  #mark = h("span", { class: "mark", title: "The model's threshold" });
  #low = h("span");
  #high = h("span");
  #slider = h("input", {
    id: "slider",
    type: "range",
    min: 0,
    max: STEPS,
    step: 1,
    "aria-label": "Threshold",
    oninput: () => this.#slide(),
  });
  #field = h("input", {
    id: "threshold",
    type: "number",
    step: "any",
    onchange: () => this.#type(),
  });
  #reset = h("button", { onclick: () => this.#decide(this.results.ofModel) }, "Reset");
  #save = h("button", { onclick: () => this.dispatchEvent(new Event("save")) }, "Download CSV");

  connectedCallback() {
    const plot = h("div", { class: "plot" }, this.#bars, this.#slider, this.#mark);
    const ends = h("div", { class: "ends", "aria-hidden": "true" }, this.#low, this.#high);
    const label = h("label", { for: "threshold" }, "Flag scores above");
    const exact = h("div", { class: "exact" }, label, this.#field, this.#reset, this.#save);
    const says = h("div", { class: "says" }, this.#number, this.#promise);
    this.replaceChildren(says, h("div", { class: "scores" }, plot, ends), exact);
  }

  set for(results) {
    this.results = results;
    results.addEventListener("samples", () => this.#draw());
    results.addEventListener("threshold", () => this.#update());
  }

  #draw() {
    const { axis, scores, ofModel, samples } = this.results;
    if (!samples.length) return;
    const counts = bins(scores, axis, BARS);
    const highest = Math.max(...counts);
    const bars = counts.map((n, i) => {
      const height = n && Math.max(6, (HEIGHT * n) / highest);
      return svg("rect", { x: i + 0.1, width: 0.8, y: HEIGHT - height, height });
    });
    this.#bars.replaceChildren(...bars);
    this.style.setProperty("--own", axis.at(ofModel));
    this.#low.textContent = short(scores.at(-1));
    this.#high.textContent = short(scores[0]);
    this.#update();
  }

  #update() {
    const { axis, threshold, ofModel, flagged, samples } = this.results;
    if (!samples.length) return;
    const at = Math.min(1, Math.max(0, axis.at(threshold)));
    this.#slider.value = Math.round(at * STEPS);
    this.style.setProperty("--at", at);
    if (Number(this.#field.value) !== threshold) this.#show(threshold);
    [...this.#bars.children].forEach((bar, i) => {
      bar.classList.toggle("odd", (i + 0.5) / BARS > at);
    });
    const words = `${whole(flagged)} of ${count(samples.length, "sample")} flagged`;
    this.#number.replaceChildren(h("b", {}, whole(flagged)), ` of ${count(samples.length, "sample")} flagged`);
    this.#slider.setAttribute("aria-valuetext", `${short(threshold)}: ${words}`);
    this.#promise.textContent = promise(this.results);
    this.#reset.disabled = threshold === ofModel;
  }

  #show(threshold) {
    this.#field.value = Number.isFinite(threshold) ? Number(threshold.toPrecision(6)) : "";
  }

  #slide() {
    const { axis, ofModel } = this.results;
    const step = Number(this.#slider.value);
    const reset = Math.round(axis.at(ofModel) * STEPS);
    this.#decide(step === reset ? ofModel : axis.value(step / STEPS));
  }

  #type() {
    const value = this.#field.valueAsNumber;
    if (Number.isFinite(value)) this.#decide(value);
    else this.#show(this.results.threshold);
  }

  #decide(threshold) {
    this.results.decide(threshold);
    const { flagged, samples } = this.results;
    announce(`${whole(flagged)} of ${count(samples.length, "sample")} flagged`);
  }
}

function promise({ promise, model, threshold, ofModel }) {
  if (threshold === Infinity) {
    return `Flags nothing: too few held-out samples for ${percent(model.target_fpr)} of normal ones`;
  }
  if (threshold === ofModel && model.target_fpr != null) {
    return `The model's threshold: set to flag ${percent(model.target_fpr)} of normal samples`;
  }
  if (!promise) return "";
  const [low, high] = promise.map(percent);
  if (promise[0] === 0) return `Would flag at most ${high} of normal samples`;
  if (promise[1] === 1) return `Would flag at least ${low} of normal samples`;
  return low === high
    ? `Would flag ${low} of normal samples`
    : `Would flag ${low} to ${high} of normal samples`;
}

customElements.define("odd-threshold", OddThreshold);
