/** `/dead-letters`: what of an organisation's could not be used, for its administrators, who send it again when it is mended. */

import { Api, ApiError } from "../shared/api.js";
import { element, fill, find } from "../shared/dom.js";
import { keepAddress } from "../shared/languages.js";
import { Panel } from "../shared/panel.js";
import { currentSession, shareSession } from "../shared/session.js";
import { askForToken, leaveSession, refused } from "../shared/signing-in.js";
import { text } from "../shared/text.js";
import { Pages } from "../dashboard/pages.js";
import { Filters } from "./filters.js";
import { countsTable, lettersList } from "./list.js";
import { Replay } from "./replay.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/answers.js").DeadLetters} DeadLetters
 */

const PAGE = 20;
const REFRESH_MS = 10_000; // what has not changed is answered in a few bytes

class LettersPage {
  /** @type {number | undefined} */
  #timer;
  #asked = 0;

  /** @param {Session} session */
  constructor(session) {
    const api = new Api(session);
    this.session = session;
    this.pages = new Pages(() => this.load({ isAnother: true }));
    this.filters = new Filters(() => {
      this.pages.begin();
      void this.load({ isAnother: true });
    });
    this.replay = new Replay(api, { settle: (error) => this.settle(error), sent: () => this.load() });
    this.api = api;
    const given = { settle: (/** @type {ApiError} */ error) => this.settle(error) };
    /** @type {Panel<DeadLetters["counts"]>} */
    this.reasons = new Panel("#reasons", {
      load: async () => (await this.#ask()).counts,
      show: (body, counts) =>
        fill(body, counts.length > 0 ? countsTable(counts) : element("p", { class: "nothing" }, text("letters.none"))),
      ...given,
    });
    /** @type {Panel<DeadLetters>} */
    this.letters = new Panel("#letters", {
      load: async () => {
        const answer = await this.#ask();
        this.reasons.show(answer.counts);
        return answer;
      },
      show: (body, answer) => this.#show(body, answer),
      ...given,
    });
  }

  start() {
    const left = () => void askForToken("signed-out");
    find("#sign-out").addEventListener("click", () => void leaveSession(left));
    shareSession(this.session, left);
    const isAdministrator = this.session.role === "org_admin";
    find("#administrators").hidden = isAdministrator;
    for (const name of ["#filters", "#reasons", "#letters"]) find(name).hidden = !isAdministrator;
    if (isAdministrator) void this.load();
  }

  /**
   * Load, and again after a while: what was sent again is marked when the program has read that it was.
   *
   * @param {{isAnother?: boolean}} [asked] whether others are meant than those that are shown
   */
  async load({ isAnother = false } = {}) {
    clearTimeout(this.#timer);
    const turn = ++this.#asked;
    if (!document.hidden || isAnother) {
      const fault = await (isAnother ? this.letters.loadAnother() : this.letters.load());
      if (fault !== null && !this.reasons.isShown) await this.reasons.load();
    }
    if (turn === this.#asked) this.#timer = setTimeout(() => void this.load(), REFRESH_MS);
  }

  /** @returns {Promise<DeadLetters>} */
  #ask() {
    return this.api.get(`/dead-letters?limit=${PAGE}&${this.filters.query}${this.pages.query}`);
  }

  /**
   * @param {HTMLElement} body
   * @param {DeadLetters} answer
   */
  #show(body, { letters, next, listedMax, listedDays }) {
    const opened = new Set([...body.querySelectorAll("details[open]")].map((node) => node.closest("li")?.dataset.letter));
    fill(
      body,
      letters.length > 0
        ? lettersList(letters, ({ letter }) => void this.replay.try([letter]))
        : element("p", { class: "nothing" }, text("letters.none")),
      this.pages.areSeveral(next) && this.pages.buttons(next, text("letters.pages"), this.pages.said),
      element("p", { class: "quiet" }, text("letters.listed", { n: listedMax, days: listedDays })),
    );
    for (const line of body.querySelectorAll("li"))
      if (opened.has(line.dataset.letter)) line.querySelector("details")?.setAttribute("open", "");
    this.replay.offer(letters.filter(({ replayedAt }) => replayedAt === null).map(({ letter }) => letter));
  }

  /** Deal with an error that concerns the whole page. @param {ApiError} error */
  settle(error) {
    return refused(this.session, error);
  }
}

keepAddress();
const session = await currentSession();
if (session === null) await askForToken("signed-out");
else if (session.role === "mentor") location.replace("/me");
else new LettersPage(session).start();
dispatchEvent(new Event("opened"));
