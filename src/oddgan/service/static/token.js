/** The dialog for the token of a service that requires one. */

import { h } from "./dom.js";

export class OddToken extends HTMLElement {
  #field = h("input", {
    id: "token",
    type: "password",
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "token-why",
  });
  #why = h("p", { id: "token-why" });
  #dialog = h("dialog", { "aria-labelledby": "token-title" });

  connectedCallback() {
    const cancel = h("button", { type: "button", onclick: () => this.#dialog.close("") }, "Cancel");
    const form = h(
      "form",
      { method: "dialog", onsubmit: (event) => this.#submit(event) },
      h("h2", { id: "token-title" }, "This service asks for a token"),
      this.#why,
      h("label", { for: "token" }, "Token"),
      this.#field,
      h("div", { class: "buttons" }, h("button", { class: "main" }, "Continue"), cancel),
    );
    this.#dialog.append(form);
    this.replaceChildren(this.#dialog);
  }

  /**
   * Ask for the token.
   * @param {boolean} again whether one was refused
   * @returns {Promise<?string>} null if the person would not give one
   */
  ask(again) {
    this.#why.textContent = again
      ? "The token was not accepted. Is it complete?"
      : "Who started the service knows it. It is kept until this tab is closed.";
    this.#field.value = "";
    this.#field.toggleAttribute("aria-invalid", again);
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const done = () => resolve(this.#dialog.returnValue || null);
      this.#dialog.addEventListener("close", done, { once: true });
    });
  }

  #submit(event) {
    event.preventDefault();
    const token = this.#field.value.trim();
    // Headers allow only these, and fetch would fail without saying why.
    const sendable = /^[\x20-\x7e]+$/.test(token);
    if (sendable) this.#dialog.close(token);
    else this.#why.textContent = "A token has only the letters, digits and signs of ASCII.";
  }
}

customElements.define("odd-token", OddToken);
