/** A banner that says where what is shown may be old, because the server does not answer. */

import { announce, element, fill, find, retryButton } from "../shared/dom.js";
import { text } from "../shared/text.js";

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
    const reason = navigator.onLine ? fault : text("connection.you-are-offline");
    fill(
      this.#banner,
      element("span", {}, `${reason} ${text("connection.as-it-was")}`),
      retryButton(text("connection.try"), this.#tryNow),
    );
    this.#banner.hidden = false;
  }

  restore() {
    if (!this.isLost) return;
    this.#banner.hidden = true;
    announce(text("connection.again"));
  }
}
