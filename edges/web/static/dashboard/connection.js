/** Whether the page is live, in the bar and, where it is not, in a banner that says what happens about it. */

import { announce, element, fill, find, retryButton } from "../shared/dom.js";
import { timeOrDate } from "../shared/format.js";

/** @typedef {import("../shared/events.js").State} State */

const PATIENCE_MS = 2_500; // a connection that is back within this time is nobody's concern

export class Connection {
  /** @type {number | undefined} */
  #patience;
  #lost = false;
  #said = "";
  #mark = find("#connection");
  #banner = find("#banner");

  /** @param {() => void} tryNow */
  constructor(tryNow) {
    this.#tryNow = tryNow;
  }
  #tryNow;

  isOpen = false;

  /** @param {State} state */
  show(state) {
    this.isOpen = state.kind === "open";
    clearTimeout(this.#patience);
    if (state.kind === "open") {
      this.#say("live", "Live");
      this.#banner.hidden = true;
      if (this.#lost) announce("Connected again.");
      this.#lost = false;
    } else if (state.kind === "waiting") {
      this.#say("waiting", navigator.onLine ? "Reconnecting" : "Offline");
      this.#patience = setTimeout(() => this.#explain(state.status, state.until), this.#lost ? 0 : PATIENCE_MS);
    }
  }

  /** Nobody looks: the connection was given back. */
  rest() {
    this.isOpen = false;
    this.#say("resting", "Paused");
  }

  /** The page is left. */
  end() {
    clearTimeout(this.#patience);
    this.isOpen = false;
    this.#mark.hidden = true;
    this.#banner.hidden = true;
  }

  /**
   * @param {number} status
   * @param {Date | null} until
   */
  #explain(status, until) {
    const text = !navigator.onLine
      ? "You are offline. What you see is as it was; it goes on by itself."
      : status === 503
        ? "Too many pages are open for live figures; this one asks every 15 seconds."
        : "The connection is lost. What you see is as it was; trying again by itself.";
    const next = until === null ? "" : `Next try at ${timeOrDate(until)}`;
    if (this.#said === text && !this.#banner.hidden)
      find(".next", this.#banner).textContent = next; // the rest stays as it is
    else {
      fill(
        this.#banner,
        element("span", {}, text),
        element("span", { class: "next", "aria-hidden": "true" }, next),
        retryButton("Try now", this.#tryNow),
      );
    }
    this.#said = text;
    this.#banner.hidden = false;
    this.#lost = true;
  }

  /**
   * @param {string} kind
   * @param {string} text
   */
  #say(kind, text) {
    this.#mark.hidden = false;
    this.#mark.dataset.kind = kind;
    this.#mark.textContent = text;
  }
}
