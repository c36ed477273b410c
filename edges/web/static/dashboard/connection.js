/** Whether the page is live, in the bar and, where it is not, in a banner that says what happens about it. */

import { announce, element, fill, find, retryButton } from "../shared/dom.js";
import { timeOrDate } from "../shared/format.js";
import { text } from "../shared/text.js";

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
      this.#say("live", text("connection.live"));
      this.#banner.hidden = true;
      if (this.#lost) announce(text("connection.again"));
      this.#lost = false;
    } else if (state.kind === "waiting") {
      this.#say("waiting", navigator.onLine ? text("connection.waiting") : text("connection.offline"));
      this.#patience = setTimeout(() => this.#explain(state.status, state.until), this.#lost ? 0 : PATIENCE_MS);
    }
  }

  /** Nobody looks: the connection was given back. */
  rest() {
    this.isOpen = false;
    this.#say("resting", text("connection.paused"));
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
    const reason = !navigator.onLine
      ? `${text("connection.you-are-offline")} ${text("connection.as-it-was")}`
      : status === 503
        ? text("connection.full")
        : `${text("connection.lost")} ${text("connection.as-it-was")}`;
    const next = until === null ? "" : text("connection.next", { time: timeOrDate(until) });
    if (this.#said === reason && !this.#banner.hidden)
      find(".next", this.#banner).textContent = next; // the rest stays as it is
    else {
      fill(
        this.#banner,
        element("span", {}, reason),
        element("span", { class: "next", "aria-hidden": "true" }, next),
        retryButton(text("connection.try"), this.#tryNow),
      );
    }
    this.#said = reason;
    this.#banner.hidden = false;
    this.#lost = true;
  }

  /**
   * @param {string} kind
   * @param {string} name
   */
  #say(kind, name) {
    this.#mark.hidden = false;
    this.#mark.dataset.kind = kind;
    this.#mark.textContent = name;
  }
}
