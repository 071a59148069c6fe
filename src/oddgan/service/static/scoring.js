/** From files to samples: requests to the service and their responses. */

import { LIMIT } from "./upload.js";

// Contributions of every column of every row are many times the size of the table.
const EXPLAINED_BYTES = 4 * 2 ** 20;
const FIRST = 200; // the most anomalous rows of a long table; others are explained when selected
const TOO_LARGE =
  "This table is too large for contributions. As a CSV file its rows are explained one by one.";

/** Scoring with one model. */
export class Scoring {
  #tables = new Map(); // by CSV file: its records

  /**
   * @param {import("./api.js").Api} api
   * @param {Object} model as the service describes it
   * @param {Object} limits of one request
   */
  constructor(api, model, limits) {
    Object.assign(this, { api, model, limits });
  }

  /** The size of one request. */
  get limit() {
    const { files, body } = this.limits;
    return { files: Math.min(LIMIT.files, files), bytes: Math.min(LIMIT.bytes, 0.9 * body) };
  }

  /** Score images, or one table. @returns {Promise<Object[]>} samples */
  async score(part, signal) {
    return this.model.kind === "image" ? this.#images(part, signal) : this.#table(part[0], signal);
  }

  async #images(part, signal) {
    const { samples } = await this.#ask(part, this.model.explains, signal);
    if (samples.length !== part.length) {
      throw new Error("The service returned a different number of images.");
    }
    return samples.map((sample, i) => {
      const file = part[i];
      return { ...sample, file, path: file.path, name: file.path, url: URL.createObjectURL(file) };
    });
  }

  async #table(file, signal) {
    const { explains } = this.model;
    const n = await this.#rows(file);
    const few = n === null ? file.size <= EXPLAINED_BYTES : n <= this.limits.explained;
    const { samples } = await this.#whole(file, explains && few, signal);
    const rows = samples.map((sample) => {
      return { ...sample, file, path: file.path, name: `Row ${sample.sample}` };
    });
    if (!explains || rows[0]?.explanation) return rows;
    const reachable = n === rows.length;
    for (const sample of rows) {
      if (reachable) sample.askable = true;
      else sample.unexplained = TOO_LARGE;
    }
    const limit = Math.min(FIRST, this.limits.explained);
    const oddest = [...rows].sort((a, b) => b.anomaly_score - a.anomaly_score).slice(0, limit);
    // If this fails the scores remain, and rows are explained when selected.
    if (reachable) await this.explain(oddest, signal).catch(() => {});
    return rows;
  }

  // Only the service knows how many rows a Parquet file has.
  async #whole(file, explain, signal) {
    try {
      return await this.#ask([file], explain, signal);
    } catch (error) {
      if (!explain || ![413, 504].includes(error.status)) throw error;
      return this.#ask([file], false, signal);
    }
  }

  /** Explain rows of one CSV file, and store the explanations in them. */
  async explain(samples, signal) {
    const all = this.#tables.get(samples[0].file);
    const rows = samples.map(({ sample }) => all[sample + 1]);
    const file = new File([all[0], ...rows], "rows.csv");
    const answer = await this.#ask([file], true, signal);
    samples.forEach((sample, i) => {
      sample.explanation = answer.samples[i].explanation;
      sample.askable = false;
    });
  }

  async #rows(file) {
    if (!/\.csv$/i.test(file.name)) return null;
    const lines = records(await file.text());
    this.#tables.set(file, lines);
    return lines.length - 1;
  }

  #ask(files, explain, signal) {
    return this.api.score(this.model.name, files, explain, signal);
  }
}

/**
 * Split the text of a CSV file into records, each with its line break. A line break between quotes
 * belongs to its cell; empty lines are skipped.
 */
export function records(text) {
  const lines = [];
  let quoted = false;
  for (let i = 0, start = 0; i <= text.length; i++) {
    if (text[i] === '"') quoted = !quoted;
    if (i < text.length && (text[i] !== "\n" || quoted)) continue;
    const record = text.slice(start, i).replace(/\r$/, "");
    if (record) lines.push(`${record}\n`);
    start = i + 1;
  }
  return lines;
}
