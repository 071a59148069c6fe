/** The progress of scoring, and the files that failed. */

import { count, h, whole } from "./dom.js";

export class OddProgress extends HTMLElement {
  #bar = h("progress", { "aria-labelledby": "progress-words" });
  #words = h("p", { id: "progress-words" });

  connectedCallback() {
    const cancel = h("button", { onclick: () => this.dispatchEvent(new Event("cancel")) }, "Cancel");
    this.replaceChildren(this.#words, this.#bar, cancel);
  }

  /** Show the number of finished files; a single file has no progress. */
  show(done, total, name) {
    this.hidden = false;
    if (total > 1) Object.assign(this.#bar, { max: total, value: done });
    else this.#bar.removeAttribute("value");
    this.#words.textContent =
      total > 1 ? `Scored ${whole(done)} of ${count(total, "file")}` : `Scoring ${name}`;
  }
}

const SHOWN = 50;

export class OddProblems extends HTMLElement {
  /** @param {{files: File[], message: string, again: boolean}[]} problems */
  show(problems) {
    this.hidden = !problems.length;
    if (this.hidden) return;
    const n = problems.reduce((sum, { files }) => sum + files.length, 0);
    const title = n ? `${count(n, "file")} could not be scored` : "Nothing can be scored";
    const items = problems.slice(0, SHOWN).map((problem) => this.#item(problem));
    if (problems.length > SHOWN) {
      items.push(h("li", {}, `and ${whole(problems.length - SHOWN)} more; the CSV names them all`));
    }
    const close = h("button", { class: "close", onclick: () => this.#close() }, "Dismiss");
    this.replaceChildren(
      h("div", { class: "head" }, h("h2", {}, title), n ? close : null),
      h("ul", {}, ...items),
    );
  }

  #item(problem) {
    const { files, message, again } = problem;
    const named = files.slice(0, 3).map((file) => file.path).join(", ");
    const rest = files.length > 3 ? ` and ${whole(files.length - 3)} more` : "";
    const retry = () => this.dispatchEvent(new CustomEvent("again", { detail: problem }));
    return h(
      "li",
      {},
      files.length ? h("strong", {}, named + rest) : null,
      h("span", { class: "message" }, message),
      again ? h("button", { onclick: retry }, "Try again") : null,
    );
  }

  #close() {
    this.hidden = true;
    document.getElementById("main").focus();
  }
}

customElements.define("odd-progress", OddProgress);
customElements.define("odd-problems", OddProblems);
