/** Who needs help: mentors without activity, with registrations that wait, with clicks alone, and close to a badge. */

import { badgeName } from "../shared/badge-names.js";
import { element, fill, find } from "../shared/dom.js";
import { number, shortDay } from "../shared/format.js";
import { mentorName } from "../shared/mentors.js";
import { Panel } from "../shared/panel.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";
import { groupPick } from "./groups.js";
import { Pages } from "./pages.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/api.js").ApiError} ApiError
 * @typedef {import("../shared/answers.js").Listed} Entry
 * @typedef {{mentors: Entry[], next: string | null}} Page
 * @typedef {object} List
 * @property {string} bound the parameter that bounds it
 * @property {[number, string][]} bounds the values to choose from, each with its words; the first is what it begins with
 * @property {[string, string][]} orders the same
 * @property {string} head above what it is about
 * @property {(entry: Entry) => import("../shared/dom.js").Child} about
 * @property {string} nothing said where there is nobody
 */

const PAGE = 10;
const days = (/** @type {number[]} */ values) =>
  values.map((n) => /** @type {[number, string]} */ ([n, text("help.days", { n })]));

/** @type {Record<string, List>} by the end of the address */
const LISTS = {
  "no-activity": {
    bound: "days",
    bounds: days([30, 60, 90, 180]),
    orders: [
      ["most", text("help.longest")],
      ["least", text("help.shortest")],
    ],
    head: text("help.last-active"),
    about: ({ lastActiveOn }) => (lastActiveOn ? shortDay(lastActiveOn) : text("help.never")),
    nothing: text("help.none-quiet"),
  },
  pending: {
    bound: "days",
    bounds: days([30, 60, 90, 180]),
    orders: [
      ["most", text("help.longest")],
      ["least", text("help.shortest")],
    ],
    head: text("help.waiting"),
    about: ({ pendingSince, pendingForLong }) =>
      text("help.since", { n: pendingForLong ?? 0, day: pendingSince ? shortDay(pendingSince) : "" }),
    nothing: text("help.none-pending"),
  },
  "clicks-only": {
    bound: "clicks",
    bounds: [1, 10, 100].map((n) => [n, text("help.clicks", { n })]),
    orders: [
      ["most", text("help.most-clicks")],
      ["least", text("help.fewest-clicks")],
    ],
    head: text("help.last-active"),
    about: ({ lastActiveOn }) => (lastActiveOn ? shortDay(lastActiveOn) : text("help.never")),
    nothing: text("help.none-clicks"),
  },
  "close-to-badge": {
    bound: "within",
    bounds: [2, 1, 3, 5].map((n) => [n, text("help.missing-at-most", { n })]),
    orders: [
      ["nearest", text("help.nearest")],
      ["highest", text("help.highest")],
    ],
    head: text("help.next-badge"),
    about: ({ remaining, badgeName: name }) => text("help.missing", { n: remaining ?? 0, badge: badgeName(name ?? "") }),
    nothing: text("help.none-close"),
  },
};

export class Help {
  #pages = new Pages(() => this.#panel.loadAnother());
  #panel;
  #name = "no-activity";
  #group = groupPick("#help-group", () => this.#begin());

  /**
   * @param {Api} api
   * @param {(error: ApiError) => boolean} settle
   */
  constructor(api, settle) {
    /** @type {Panel<Page>} */
    this.#panel = new Panel("#help", {
      load: () => api.get(`/lists/${this.#name}?limit=${PAGE}${this.#query}${this.#pages.query}`),
      show: (body, page) => this.#show(body, page),
      settle,
    });
    const asked = new URLSearchParams(location.search).get("list"); // what a mail's link names
    for (const choice of document.querySelectorAll('input[name="help"]')) {
      const input = /** @type {HTMLInputElement} */ (choice);
      if (input.value === asked) input.checked = true;
      if (input.checked) this.#name = input.value; // somebody was quick, or the browser remembers what he chose
      choice.addEventListener("change", () => {
        this.#name = /** @type {HTMLInputElement} */ (choice).value;
        this.#offer();
        this.#begin();
      });
    }
    for (const choice of [this.#bounds, this.#orders]) choice.addEventListener("change", () => this.#begin());
    this.#offer();
  }

  load() {
    return this.#panel.load();
  }

  get #bounds() {
    return /** @type {HTMLSelectElement} */ (find("#help-bound"));
  }

  get #orders() {
    return /** @type {HTMLSelectElement} */ (find("#help-order"));
  }

  get #query() {
    const { bound, orders } = LISTS[this.#name];
    return `&${bound}=${this.#bounds.value}&order=${this.#orders.value || orders[0][0]}${this.#group()}`;
  }

  /** Offer what this list can be bounded and sorted by. */
  #offer() {
    const { bounds, orders } = LISTS[this.#name];
    const option = (/** @type {[string | number, string]} */ [value, said]) => element("option", { value }, said);
    fill(this.#bounds, bounds.map(option));
    fill(this.#orders, orders.map(option));
  }

  #begin() {
    this.#pages.begin();
    void this.#panel.loadAnother();
  }

  /**
   * @param {HTMLElement} body
   * @param {Page} page
   */
  #show(body, { mentors, next }) {
    const { head, about, nothing } = LISTS[this.#name];
    if (mentors.length === 0) {
      fill(body, element("p", { class: "nothing" }, nothing));
      return;
    }
    const columns = [
      { head: text("counts.mentor"), kind: "name", isName: true },
      { head, kind: "about" },
      { head: text("counts.clicks"), kind: "wide" },
      { head: text("counts.pending"), kind: "wide" },
      { head: text("counts.confirmed"), kind: "wide" },
    ];
    const rows = mentors.map((entry) => ({
      attributes: { "data-mentor": entry.mentorId },
      cells: [
        mentorName(entry),
        about(entry),
        number(entry.totalClicks),
        number(entry.pendingAttributions),
        number(entry.confirmedAttributions),
      ],
    }));
    fill(
      body,
      table(text("help.title"), "mentors", columns, rows),
      this.#pages.areSeveral(next) && this.#pages.buttons(next, text("help.pages"), this.#pages.said),
    );
  }
}
