/** A banner that says where what is shown may be old, because the server does not answer. */

import { announce, element, fill, find, retryButton } from "../shared/dom.js";

export class Connection {
  #banner = find("#banner");

  /** @param {() => void} tryNow */
  constructor(tryNow) {
    this.#tryNow = tryNow;
  }
  #tryNow;

  /** Whether it is lost. */
  get isLost() {
    return !this.#banner.hidden;
  }

  /** @param {string} fault what was answered, if anything */
  lose(fault) {
    if (this.isLost) return;
    const text = navigator.onLine ? fault : "You are offline.";
    fill(
      this.#banner,
      element("span", {}, `${text} What you see is as it was; trying again by itself.`),
      retryButton("Try now", this.#tryNow),
    );
    this.#banner.hidden = false;
  }

  restore() {
    if (!this.isLost) return;
    this.#banner.hidden = true;
    announce("Connected again.");
  }
}
