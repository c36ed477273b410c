/** Mentors by confirmed members, page by page. */

import { ApiError } from "../shared/api.js";
import { announce, element, fill, icon } from "../shared/dom.js";
import { number, percent } from "../shared/format.js";
import { Panel } from "../shared/panel.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";
import { mentorName } from "./mentors.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/answers.js").Leaderboard} Page
 * @typedef {import("../shared/answers.js").Entry} Entry
 */

const PAGE = 10;

/** @type {import("../shared/table.js").Column[]} */
const COLUMNS = [
  { head: "#", kind: "rank" },
  { head: text("counts.mentor"), kind: "name", isName: true },
  { head: text("counts.clicks"), kind: "wide" },
  { head: text("counts.pending"), kind: "wide" },
  { head: text("counts.confirmed"), kind: "strong" },
  { head: text("counts.conversion-short"), kind: "wide" },
];

export class Leaderboard {
  /** Where each page before this one, and this one, begins; the first begins nowhere. @type {(string | null)[]} */
  #starts = [null];
  /** @type {string | null} */
  #next = null;
  /** Confirmed members of those shown, to see who has more. @type {Map<string, number>} */
  #confirmed = new Map();
  #asked = 0;
  /** @type {Panel<Page>} */
  #panel;

  /**
   * @param {Api} api
   * @param {(error: ApiError) => boolean} settle
   */
  constructor(api, settle) {
    this.#panel = new Panel("#leaderboard", {
      load: () => this.#load(api),
      show: (body, page) => this.#show(body, page),
      settle,
    });
  }

  load() {
    return this.#panel.load();
  }

  /** @param {Api} api */
  #load(api) {
    const start = this.#starts.at(-1);
    const after = start ? `&after=${encodeURIComponent(start)}` : "";
    return api.get(`/leaderboard?limit=${PAGE}${after}`);
  }

  /**
   * @param {HTMLElement} body
   * @param {Page} page
   */
  #show(body, { entries, next }) {
    this.#next = next;
    if (entries.length === 0) {
      fill(
        body,
        element("p", { class: "nothing" }, text("mentors.none")),
      );
      return;
    }
    const before = this.#confirmed;
    this.#confirmed = new Map(entries.map((entry) => [entry.mentorId, entry.confirmedAttributions]));
    const rows = entries.map((entry) => row(entry, before.get(entry.mentorId)));
    fill(
      body,
      table(text("mentors.caption"), "mentors", COLUMNS, rows),
      this.#pager(entries),
    );
  }

  /** @param {Entry[]} entries */
  #pager(entries) {
    const [first, last] = [entries[0].rank, entries[entries.length - 1].rank];
    return element(
      "nav",
      { class: "pager", "aria-label": text("mentors.pages") },
      element("span", { class: "quiet" }, text("mentors.range", { first, last })),
      element(
        "button",
        {
          type: "button",
          class: "button",

          disabled: this.#starts.length === 1,
          onclick: () => this.#turn(-1),
        },
        icon("left"),
        text("mentors.previous"),
      ),
      element(
        "button",
        {
          type: "button",
          class: "button",

          disabled: this.#next === null,
          onclick: () => this.#turn(1),
        },
        text("mentors.next"),
        icon("right"),
      ),
    );
  }

  /** @param {1 | -1} direction */
  async #turn(direction) {
    if (direction === 1) this.#starts.push(this.#next);
    else this.#starts.pop();
    this.#confirmed = new Map();
    const turn = ++this.#asked;
    await this.load();
    if (turn === this.#asked) announce(text("mentors.page", { page: this.#starts.length }));
  }
}

/**
 * @param {Entry} entry
 * @param {number | undefined} before his confirmed members when the table was last shown
 */
function row(entry, before) {
  const { rank, mentorId, referralCode, totalClicks, pendingAttributions, confirmedAttributions } = entry;
  const hasMore = before !== undefined && before !== confirmedAttributions;
  return {
    attributes: { "data-mentor": mentorId },
    cells: [
      number(rank),
      [
        mentorName(mentorId, referralCode),
        element(
          "span",
          { class: "narrow quiet" },
          `${text("mentors.clicks", { n: totalClicks })}, ${text("mentors.pending", { n: pendingAttributions })}`,
        ),
      ],
      number(totalClicks),
      number(pendingAttributions),
      element("span", { class: hasMore ? "changed" : null }, number(confirmedAttributions)),
      percent(entry.conversionRate),
    ],
  };
}
