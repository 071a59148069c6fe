/** The explanation of a row, column by column. */

import { h, short, whole } from "./dom.js";

const FIRST = 12;

export class ColumnView {
  #all = false;

  /** Return a table of the columns, largest contribution first. */
  show(sample) {
    const { contributions } = sample.explanation;
    const largest = Math.max(...contributions.map((c) => Math.abs(c.contribution)), 0) || 1;
    const expects = contributions.some((c) => c.expected != null);
    const rows = contributions
      .slice(0, this.#all ? undefined : FIRST)
      .map((c) => row(c, largest, expects));
    const names = ["Column", "Value", ...(expects ? ["Expected"] : []), "Contribution"];
    const table = h(
      "table",
      {},
      h("caption", {}, "What its score is made of"),
      h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...rows),
    );
    const box = h("div", { class: "columns", role: "group", tabindex: 0, "aria-label": "Columns" }, table);
    const remaining = contributions.length - rows.length;
    if (remaining > 0) box.append(this.#more(remaining, sample, box));
    return box;
  }

  #more(remaining, sample, box) {
    const show = () => {
      this.#all = true;
      const next = this.show(sample);
      box.replaceWith(next);
      next.focus();
    };
    return h("button", { onclick: show }, `Show ${whole(remaining)} more`);
  }
}

function row({ column, value, expected, contribution }, largest, expects) {
  const bar = h("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", Math.abs(contribution) / largest);
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, String(column)),
    h("td", {}, said(value)),
    expects ? h("td", {}, said(expected)) : null,
    h("td", { class: "contribution" }, bar, h("span", {}, short(contribution))),
  );
}

function said(value) {
  return value === null || value === undefined ? "missing" : short(value);
}
