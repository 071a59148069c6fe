/** From files to samples: what is asked of the service, and what becomes of its answers. */

import { LIMIT } from "./upload.js";

// Contributions of every column of every row are many times the size of the table.
const EXPLAINED_BYTES = 4 * 2 ** 20;
const FIRST = 200; // the oddest rows of a long table; others are explained when they are looked at
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

  /** How much is sent at a time. */
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
      throw new Error("The service answered for another number of images.");
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
    const found = samples.map((sample) => {
      return { ...sample, file, path: file.path, name: `Row ${sample.sample}` };
    });
    if (!explains || found[0]?.explanation) return found;
    const reachable = n === found.length;
    for (const sample of found) {
      if (reachable) sample.askable = true;
      else sample.unexplained = TOO_LARGE;
    }
    const most = Math.min(FIRST, this.limits.explained);
    const oddest = [...found].sort((a, b) => b.anomaly_score - a.anomaly_score).slice(0, most);
    // Without it the scores stand, and rows are explained when they are looked at.
    if (reachable) await this.explain(oddest, signal).catch(() => {});
    return found;
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

  /** Ask why rows of one CSV file are odd; the answers become theirs. */
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
    const found = records(await file.text());
    this.#tables.set(file, found);
    return found.length - 1;
  }

  #ask(files, explain, signal) {
    return this.api.score(this.model.name, files, explain, signal);
  }
}

/**
 * Cut the text of a CSV file into records, each with its line break. A line break between quotes
 * belongs to its cell; empty lines are none.
 */
export function records(text) {
  const found = [];
  let quoted = false;
  for (let i = 0, start = 0; i <= text.length; i++) {
    if (text[i] === '"') quoted = !quoted;
    if (i < text.length && (text[i] !== "\n" || quoted)) continue;
    const record = text.slice(start, i).replace(/\r$/, "");
    if (record) found.push(`${record}\n`);
    start = i + 1;
  }
  return found;
}
