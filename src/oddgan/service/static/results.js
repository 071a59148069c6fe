/** The results: the samples, most anomalous first, and the threshold. */

import { commonTop } from "./heatmap.js";
import { above, axis } from "./scale.js";

/**
 * Samples and decisions. Reports changes by the events "samples", "threshold", "selection"
 * and "explained".
 *
 * A sample has the fields of the response, and `file`, `name` (its title on the page),
 * `anomaly_score`, `p_value` and `explanation`.
 */
export class Results extends EventTarget {
  constructor() {
    super();
    this.clear(null);
  }

  /** Remove all samples, and set the model of the next ones. */
  clear(model) {
    this.model = model;
    this.samples = [];
    this.scores = [];
    this.axis = null;
    this.top = 0;
    this.threshold = this.ofModel;
    this.flaggedOnly = false;
    this.selected = null;
    this.chosen = false; // has a person selected it?
    this.#tell("samples");
  }

  /** Add samples, and sort all. */
  add(samples) {
    this.samples.push(...samples);
    this.samples.sort((a, b) => b.anomaly_score - a.anomaly_score);
    this.scores = this.samples.map((sample) => sample.anomaly_score);
    this.axis = axis(this.scores, [this.ofModel].filter(Number.isFinite));
    this.top = commonTop(this.samples);
    if (!this.chosen) this.selected = this.visible[0] ?? null;
    this.#tell("samples");
  }

  /** The model's threshold; infinite if it flags nothing, for too few held-out samples. */
  get ofModel() {
    return this.model?.threshold ?? Infinity;
  }

  /** The number of samples above the threshold; they come first. */
  get flagged() {
    return above(this.scores, this.threshold);
  }

  isFlagged(sample) {
    return sample.anomaly_score > this.threshold;
  }

  /** The samples that the list shows. */
  get visible() {
    return this.flaggedOnly ? this.samples.slice(0, this.flagged) : this.samples;
  }

  decide(threshold) {
    this.threshold = threshold;
    this.#keepVisible();
    this.#tell("threshold");
  }

  showFlaggedOnly(only) {
    this.flaggedOnly = only;
    this.#keepVisible();
    this.#tell("threshold");
  }

  select(sample) {
    this.selected = sample;
    this.chosen = true;
    this.#tell("selection");
  }

  /** Report that a sample has an explanation. */
  explained(sample) {
    this.dispatchEvent(new CustomEvent("explained", { detail: sample }));
  }

  /**
   * The share of normal samples that the threshold flags, as far as these samples' p-values tell:
   * between that of the lowest flagged sample and that of the highest not flagged.
   * @returns {?number[]} lower and upper bound
   */
  get promise() {
    if (!this.model.has_p_values || !this.samples.length) return null;
    const [low, high] = [this.samples[this.flagged - 1], this.samples[this.flagged]];
    return [low?.p_value ?? 0, high?.p_value ?? 1];
  }

  #keepVisible() {
    if (this.flaggedOnly && this.selected && !this.isFlagged(this.selected)) {
      this.selected = this.samples[0] && this.isFlagged(this.samples[0]) ? this.samples[0] : null;
    }
    this.selected ??= this.visible[0] ?? null;
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
