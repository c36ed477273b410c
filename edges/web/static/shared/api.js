/** Asks the HTTP side, as who is signed in. */

import { text } from "./text.js";

/** @typedef {import("./session.js").Session} Session */

/** An answer that is not the one asked for. */
export class ApiError extends Error {
  /**
   * @param {number} status 0: no answer came at all
   * @param {string} message for people
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const PATIENCE_MS = 15_000; // longer than the server itself waits for anything

export class Api {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    /** Where the organisation's affairs are. */
    this.organisation = `/v1/orgs/${encodeURIComponent(session.orgId)}`;
  }

  /**
   * Return an answer of the organisation. What the browser has kept is used if the server says that it still holds.
   *
   * @param {string} path what follows the organisation's own
   * @returns {Promise<any>}
   */
  async get(path) {
    const answer = await ask(this.organisation + path, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE_MS) });
    try {
      return await answer.json();
    } catch {
      throw new ApiError(0, text("problem.cut"));
    }
  }

  /**
   * Return a file of the organisation.
   *
   * @param {string} path
   * @returns {Promise<Blob>}
   */
  async file(path) {
    return (await ask(this.organisation + path, { cache: "no-cache" })).blob();
  }

  /**
   * Ask for something to be made or done.
   *
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async post(path, body) {
    const said = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    return (await ask(this.organisation + path, { method: "POST", ...said })).json();
  }

  /**
   * Ask for something to be as it is given.
   *
   * @param {string} path
   * @param {object} body
   * @returns {Promise<any>}
   */
  async put(path, body) {
    const headers = { "Content-Type": "application/json" };
    return (await ask(this.organisation + path, { method: "PUT", headers, body: JSON.stringify(body) })).json();
  }

  /**
   * Ask for something to be taken back.
   *
   * @param {string} path
   * @returns {Promise<any>}
   */
  async delete(path) {
    return (await ask(this.organisation + path, { method: "DELETE" })).json();
  }
}

/**
 * Return what the server answers, as who is signed in by its cookie; throw ApiError where that is not what was asked for.
 *
 * @param {string} url
 * @param {RequestInit} how
 * @returns {Promise<Response>}
 */
export async function ask(url, how) {
  let response;
  try {
    response = await fetch(url, { ...how, credentials: "same-origin" });
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    throw new ApiError(0, isLate ? text("problem.late") : text("problem.away"));
  }
  if (!response.ok) throw new ApiError(response.status, explanation(response.status));
  return response;
}

/** @type {Record<number, string>} */
const EXPLANATIONS = {
  403: text("problem.forbidden"),
  404: text("problem.missing"),
  409: text("problem.conflict"),
  422: text("problem.input"),
  429: text("problem.busy"),
  500: text("problem.fault"),
  503: text("problem.unavailable"),
};

/** What a status means for people; the words that come with it are for programs. @param {number} status */
const explanation = (status) => EXPLANATIONS[status] ?? text("problem.other", { status: String(status) });
