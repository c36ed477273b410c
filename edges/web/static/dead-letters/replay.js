/** Sending dead letters again: first what would become of them, then, where somebody wants it, the sending. */

import { ApiError } from "../shared/api.js";
import { announce, element, fill, find } from "../shared/dom.js";
import { text } from "../shared/text.js";
import { messageInWords } from "./messages.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/answers.js").ReplayVerdict} Verdict
 */

const SHOWN = 20; // refusals; whoever has more mends one kind and looks again

export class Replay {
  #api;
  #given;
  #isBusy = false;
  /** The letters that are offered. @type {string[]} */
  #offered = [];

  /**
   * @param {Api} api
   * @param {object} given
   * @param {(error: ApiError) => boolean} given.settle
   * @param {() => Promise<unknown>} given.sent
   */
  constructor(api, given) {
    this.#api = api;
    this.#given = given;
  }

  /** Offer to try those that are shown and were not sent again. @param {string[]} letters */
  offer(letters) {
    const place = find("#replay");
    if (letters.join() === this.#offered.join()) return; // what is said of them stays
    this.#offered = letters;
    place.hidden = letters.length === 0;
    if (letters.length > 0) this.#say([], [this.#button(text("letters.try-all", { n: letters.length }), () => this.try(letters))]);
  }

  /** Say what would become of these. @param {string[]} letters */
  async try(letters) {
    find("#replay").hidden = false;
    await this.#ask(letters, true, (verdicts) => {
      const ready = verdicts.filter(({ verdict }) => verdict === "ready").map(({ letter }) => letter);
      this.#say(told(verdicts), [
        ready.length > 0 && this.#button(text("letters.send", { n: ready.length }), () => this.#send(ready), true),
        this.#button(text("letters.not-now"), async () => {
          const offered = this.#offered;
          this.#offered = [];
          this.offer(offered);
          find("#replay").hidden = offered.length === 0;
        }),
      ]);
    });
  }

  /** @param {string[]} letters */
  async #send(letters) {
    await this.#ask(letters, false, (verdicts) => {
      const sent = verdicts.filter(({ verdict }) => verdict === "sent").length;
      announce(text("letters.sent", { n: sent }));
      this.#offered = [];
      this.#say([element("p", {}, text("letters.sent", { n: sent })), ...told(verdicts.filter(({ verdict }) => verdict !== "sent"))], []);
    });
    await this.#given.sent();
  }

  /**
   * @param {string[]} letters
   * @param {boolean} dryRun
   * @param {(verdicts: Verdict[]) => void} show
   */
  async #ask(letters, dryRun, show) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const place = find("#replay");
    place.setAttribute("aria-busy", "true");
    try {
      show((await this.#api.post("/dead-letters/replays", { letters, dryRun })).verdicts);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#given.settle(error)) this.#say([element("p", { class: "fault" }, error.message)], [this.#button(text("failure.retry"), () => this.try(letters))]);
    } finally {
      this.#isBusy = false;
      place.removeAttribute("aria-busy");
    }
  }

  /**
   * @param {Node[]} said
   * @param {(Node | false)[]} buttons
   */
  #say(said, buttons) {
    const had = find("#replay").contains(document.activeElement) || document.activeElement === document.body;
    fill(find("#replay"), element("div", { role: "status" }, said), buttons.length > 0 && element("div", { class: "acts" }, buttons));
    if (had && said.length > 0) /** @type {HTMLElement | null} */ (find("#replay").querySelector("button"))?.focus();
  }

  /**
   * @param {string} words
   * @param {() => Promise<unknown>} act
   * @param {boolean} [isMain]
   */
  #button = (words, act, isMain = false) =>
    element("button", { type: "button", class: isMain ? "button primary" : "button", onclick: () => void act() }, words);
}

/** What becomes of them, in words. @param {Verdict[]} verdicts */
function told(verdicts) {
  const count = (/** @type {string} */ wanted) => verdicts.filter(({ verdict }) => verdict === wanted).length;
  const refused = verdicts.filter(({ verdict }) => verdict === "refused");
  return [
    count("ready") > 0 && element("p", {}, text("letters.ready", { n: count("ready") })),
    count("before") > 0 && element("p", {}, text("letters.before", { n: count("before") })),
    count("gone") > 0 && element("p", {}, text("letters.gone", { n: count("gone") })),
    refused.length > 0 && element("p", {}, text("letters.refused", { n: refused.length })),
    refused.length > 0 &&
      element(
        "ul",
        { "aria-label": text("letters.refused", { n: refused.length }) },
        refused.slice(0, SHOWN).map(({ letter, why }) => element("li", {}, `${letter}: `, messageInWords(why))),
      ),
    refused.length > SHOWN && element("p", { class: "quiet" }, text("letters.more-refused", { n: refused.length - SHOWN })),
  ].filter((each) => each !== false);
}
