/** Turns the pages of a list that goes on from a place: the server says where the next begins, and the way back is kept. */

import { announce, element, icon } from "../shared/dom.js";
import { text } from "../shared/text.js";

export class Pages {
  /** Where each page before this one, and this one, begins; the first begins nowhere. @type {(string | null)[]} */
  #starts = [null];
  /** @type {string | null} */
  #next = null;
  #asked = 0;
  #turned;

  /** @param {() => Promise<unknown>} turned shows the page that is asked for now */
  constructor(turned) {
    this.#turned = turned;
  }

  /** What the address of the page that is asked for ends in. */
  get query() {
    const start = this.#starts.at(-1);
    return start ? `&after=${encodeURIComponent(start)}` : "";
  }

  /** Ask for the first page: it is another list now. */
  begin() {
    this.#starts = [null];
  }

  /**
   * The buttons below a page.
   *
   * @param {string | null} next where the one after it begins
   * @param {string} name of the list, for those who listen
   * @param {string} said which page it is
   */
  buttons(next, name, said) {
    this.#next = next;
    return element(
      "nav",
      { class: "pager", "aria-label": name },
      element("span", { class: "quiet" }, said),
      element(
        "button",
        { type: "button", class: "button", disabled: this.#starts.length === 1, onclick: () => this.#turn(-1) },
        icon("left"),
        text("pages.previous"),
      ),
      element(
        "button",
        { type: "button", class: "button", disabled: next === null, onclick: () => this.#turn(1) },
        text("pages.next"),
        icon("right"),
      ),
    );
  }

  /** Which page it is, for lists without numbers of their own. */
  get said() {
    return text("pages.page", { page: this.#starts.length });
  }

  /** Whether there is more than one. @param {string | null} next */
  areSeveral(next) {
    return this.#starts.length > 1 || next !== null;
  }

  /** @param {1 | -1} direction */
  async #turn(direction) {
    if (direction === 1) this.#starts.push(this.#next);
    else this.#starts.pop();
    const turn = ++this.#asked;
    await this.#turned();
    if (turn === this.#asked) announce(this.said);
  }
}
