/**
 * What mentors have just reached, and who was thanked for it: a milestone and its badge are one. One that arrives while the
 * page is open is marked as new, and said.
 */

import { ApiError } from "../shared/api.js";
import { badgeName } from "../shared/badge-names.js";
import { announce, element, fill, find, icon } from "../shared/dom.js";
import { dateAndTime, since } from "../shared/format.js";
import { mentorCalled, mentorName } from "../shared/mentors.js";
import { Panel } from "../shared/panel.js";
import { text } from "../shared/text.js";
import { groupPick } from "./groups.js";
import { Pages } from "./pages.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/answers.js").Reached} Entry
 * @typedef {import("../shared/answers.js").JustReached} Page
 */

const PAGE = 6;
const NEW_MS = 120_000;

export class Reached {
  /** When each was first seen; 0: it was there when the page was opened. @type {Map<string, number> | null} */
  #seen = null;
  #api;
  #settle;
  #pages = new Pages(() => this.#show());

  /**
   * @param {Api} api
   * @param {(error: ApiError) => boolean} settle
   */
  constructor(api, settle) {
    this.#api = api;
    this.#settle = settle;
    const begin = () => {
      this.#pages.begin();
      void this.#show();
    };
    const group = groupPick("#reached-group", begin);
    const order = /** @type {HTMLSelectElement} */ (find("#reached-order"));
    order.addEventListener("change", begin);
    this.panel = new Panel("#activity", {
      load: () => api.get(`/lists/just-reached?limit=${PAGE}&show=${shown()}&order=${order.value}${group()}${this.#pages.query}`),
      show: (body, page) => this.#fill(body, page),
      settle,
    });
    for (const choice of document.querySelectorAll('input[name="thanks"]'))
      choice.addEventListener("change", begin);
  }

  load() {
    return this.panel.load();
  }

  /** Show another part of the list, in which nothing is new because it was not shown before. */
  #show() {
    this.#seen = null;
    return this.panel.loadAnother();
  }

  /**
   * @param {HTMLElement} body
   * @param {Page} page
   */
  #fill(body, { reached, next }) {
    const arrived = this.#note(reached);
    const isOpen = shown() === "open";
    fill(
      body,
      reached.length > 0
        ? element(
            "ol",
            { class: "latest", "aria-label": text("reached.title") },
            reached.map((entry) => this.#line(entry)),
          )
        : element("p", { class: "nothing" }, isOpen ? text("reached.all-thanked") : text("reached.none")),
      this.#pages.areSeveral(next) && this.#pages.buttons(next, text("reached.pages"), this.#pages.said),
    );
    if (arrived.length > 0)
      announce(arrived.length <= 2 ? arrived.map(inWords).join(" ") : text("reached.arrived", { n: arrived.length }));
  }

  /**
   * Note what is there now, and return what was not there before.
   *
   * @param {Entry[]} entries
   */
  #note(entries) {
    const before = this.#seen;
    this.#seen = new Map(entries.map((entry) => [keyOf(entry), before?.get(keyOf(entry)) ?? (before ? Date.now() : 0)]));
    return before === null ? [] : entries.filter((entry) => !before.has(keyOf(entry)));
  }

  /** @param {Entry} entry */
  #line(entry) {
    const newUntil = (this.#seen?.get(keyOf(entry)) ?? 0) + NEW_MS;
    const isNew = Date.now() < newUntil;
    const kind = entry.badges.length > 0 ? "badge" : "milestone";
    return element(
      "li",
      { class: isNew ? `${kind} new` : kind, "data-new-until": isNew && newUntil },
      icon(kind === "badge" ? "medal" : "flag"),
      element(
        "span",
        { class: "what" },
        [...entry.badges.map(badgeName), text("counts.confirmed-number", { n: entry.threshold })].join(", "),
        isNew && element("span", { class: "tag" }, text("reached.new")),
      ),
      element(
        "time",
        { datetime: entry.recordedAt, title: dateAndTime(entry.recordedAt) },
        since(entry.recordedAt, new Date()),
      ),
      mentorName({ ...entry, group: null }),
      this.#thanks(entry),
    );
  }

  /** @param {Entry} entry */
  #thanks(entry) {
    const isThanked = entry.thankedAt !== null;
    const what = isThanked ? text("reached.thanked") : text("reached.thank");
    const name = mentorCalled(entry);
    return element(
      "button",
      {
        type: "button",
        class: "button thanks",
        "aria-pressed": String(isThanked),
        "data-about": `${entry.mentorId} ${entry.threshold}`,
        "aria-label": text("reached.thanks-name", { what, name, n: entry.threshold }),
        title: entry.thankedAt && dateAndTime(entry.thankedAt),
        onclick: (/** @type {Event} */ event) => void this.#mark(/** @type {HTMLButtonElement} */ (event.currentTarget), entry),
      },
      isThanked && icon("check"),
      what,
    );
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {Entry} entry
   */
  async #mark(button, { mentorId, threshold, thankedAt }) {
    const path = `/mentors/${encodeURIComponent(mentorId)}/milestones/${threshold}/thanks`;
    button.disabled = true;
    try {
      await (thankedAt === null ? this.#api.post(path) : this.#api.delete(path));
      announce(thankedAt === null ? text("reached.marked") : text("reached.unmarked"));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#settle(error)) return;
      announce(error.message);
      fill(button, error.message);
    }
    button.disabled = false;
    button.focus();
    await this.load();
  }
}

/** Say again how long ago each was, and call new no longer what has been here for a while. @param {HTMLElement} body */
export function tick(body) {
  const now = new Date();
  for (const line of body.querySelectorAll(".new")) {
    if (now.getTime() < Number(line.getAttribute("data-new-until"))) continue;
    line.classList.remove("new");
    line.querySelector(".tag")?.remove();
  }
  for (const time of body.querySelectorAll("time")) time.textContent = since(time.dateTime, now);
}

const shown = () => /** @type {HTMLInputElement} */ (find('input[name="thanks"]:checked')).value;

/** Its badge comes a moment after the milestone, and is news again. @param {Entry} entry */
const keyOf = ({ mentorId, threshold, badges }) => `${mentorId} ${threshold} ${badges.length > 0}`;

/** @param {Entry} entry */
function inWords(entry) {
  const { threshold, badges } = entry;
  const name = mentorCalled(entry);
  return badges.length > 0
    ? text("reached.earned", { name, badge: badges.map(badgeName).join(", ") })
    : text("reached.reached", { name, milestone: text("counts.confirmed-number", { n: threshold }) });
}
