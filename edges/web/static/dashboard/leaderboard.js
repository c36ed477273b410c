/** Mentors by confirmed members, page by page. */

import { element, fill } from "../shared/dom.js";
import { number, percent } from "../shared/format.js";
import { mentorName } from "../shared/mentors.js";
import { Panel } from "../shared/panel.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";
import { groupPick } from "./groups.js";
import { Pages } from "./pages.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/api.js").ApiError} ApiError
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
  /** Confirmed members of those shown, to see who has more. @type {Map<string, number>} */
  #confirmed = new Map();
  #pages = new Pages(() => {
    this.#confirmed = new Map();
    return this.#panel.loadAnother();
  });
  /** @type {Panel<Page>} */
  #panel;

  /**
   * @param {Api} api
   * @param {(error: ApiError) => boolean} settle
   */
  constructor(api, settle) {
    const group = groupPick("#leaderboard-group", () => {
      this.#confirmed = new Map();
      this.#pages.begin();
      void this.#panel.loadAnother();
    });
    this.#panel = new Panel("#leaderboard", {
      load: () => api.get(`/leaderboard?limit=${PAGE}${group()}${this.#pages.query}`),
      show: (body, page) => this.#show(body, page),
      settle,
    });
  }

  load() {
    return this.#panel.load();
  }

  /**
   * @param {HTMLElement} body
   * @param {Page} page
   */
  #show(body, { entries, next }) {
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
      this.#pages.buttons(next, text("mentors.pages"), rangeOf(entries)),
    );
  }
}

/** @param {Entry[]} entries */
const rangeOf = (entries) =>
  text("mentors.range", { first: entries[0].rank, last: entries[entries.length - 1].rank });

/**
 * @param {Entry} entry
 * @param {number | undefined} before his confirmed members when the table was last shown
 */
function row(entry, before) {
  const { rank, mentorId, totalClicks, pendingAttributions, confirmedAttributions } = entry;
  const hasMore = before !== undefined && before !== confirmedAttributions;
  return {
    attributes: { "data-mentor": mentorId },
    cells: [
      number(rank),
      [
        mentorName(entry),
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
