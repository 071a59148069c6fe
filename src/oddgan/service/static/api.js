/** Client of the service's API. */

const TOKEN = "oddgan-token";

/** An error response of the service. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP; 0 if the service did not answer
   * @param {string} message
   * @param {number} wait seconds until it makes sense to ask again
   */
  constructor(status, message, wait = 1) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

/** Requests, with the token if the service needs one. */
export class Api {
  /** @param {(again: boolean) => Promise<?string>} askToken asks the person; null: no answer */
  constructor(askToken) {
    this.askToken = askToken;
  }

  /** List the models, and the limits of a request. */
  models() {
    return this.#call("v1/models");
  }

  /**
   * Score files: several images, or one table.
   * @returns {Promise<Object>} what the service answered
   */
  score(model, files, explain, signal) {
    const body = new FormData();
    for (const file of files) body.append("files", file, file.name);
    const conditions = files.map((file) => file.condition);
    if (conditions[0]) body.append("condition", JSON.stringify(conditions));
    const path = `v1/models/${encodeURIComponent(model)}/score?explain=${explain}`;
    return this.#call(path, { method: "POST", body, signal });
  }

  async #call(path, options = {}) {
    for (;;) {
      const used = sessionStorage.getItem(TOKEN);
      const headers = used ? { Authorization: `Bearer ${used}` } : {};
      const response = await reach(path, { ...options, headers });
      if (response.ok) return response.json();
      const refusal = await read(response);
      if (response.status !== 401) throw refusal;
      const token = await this.askToken(used !== null);
      if (token === null) throw refusal;
      sessionStorage.setItem(TOKEN, token);
    }
  }
}

async function reach(path, options) {
  try {
    return await fetch(path, { ...options, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The service does not answer. Is it still running?");
  }
}

async function read(response) {
  const wait = Number(response.headers.get("Retry-After")) || 1;
  try {
    return new Refusal(response.status, (await response.json()).error.message, wait);
  } catch {
    return new Refusal(response.status, `The service answered with status ${response.status}.`, wait);
  }
}
