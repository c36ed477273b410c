/** The latest badges and milestones; one that arrives while the page is open is marked as new, and said. */

import { badgeName } from "../shared/badge-names.js";
import { announce, element, fill, icon } from "../shared/dom.js";
import { dateAndTime, shortId, since } from "../shared/format.js";
import { text } from "../shared/text.js";
import { mentorName } from "./mentors.js";

/**
 * @typedef {import("../shared/answers.js").Activity} Activity
 * @typedef {import("../shared/answers.js").Award} Award
 * @typedef {import("../shared/answers.js").Milestone} Milestone
 * @typedef {{key: string, kind: string, mentorId: string, what: string, at: string}} Item
 */

const NEW_MS = 120_000;

export class Arrivals {
  /** When each was first seen; 0: it was there when the page was opened. @type {Map<string, number> | null} */
  #seen = null;

  /**
   * @param {HTMLElement} body
   * @param {Activity} activity
   */
  show(body, { awards, milestones }) {
    const badges = awards.map(ofAward);
    const thresholds = milestones.map(ofMilestone);
    const arrived = this.#note([...badges, ...thresholds]);
    fill(
      body,
      list(text("activity.badges"), badges, text("activity.no-badges"), (item) => this.#line(item)),
      list(text("activity.milestones"), thresholds, text("activity.no-milestones"), (item) => this.#line(item)),
    );
    if (arrived.length > 0)
      announce(
        arrived.length <= 2 ? arrived.map(inWords).join(" ") : text("activity.arrived", { n: arrived.length }),
      );
  }

  /**
   * Note what is there now, and return what was not there before.
   *
   * @param {Item[]} items
   */
  #note(items) {
    const before = this.#seen;
    this.#seen = new Map(items.map(({ key }) => [key, before === null ? 0 : (before.get(key) ?? Date.now())]));
    return before === null ? [] : items.filter(({ key }) => !before.has(key));
  }

  /** @param {Item} item */
  #line(item) {
    const newUntil = (this.#seen?.get(item.key) ?? 0) + NEW_MS;
    const isNew = Date.now() < newUntil;
    return element(
      "li",
      { class: isNew ? `${item.kind} new` : item.kind, "data-new-until": isNew && newUntil },
      icon(item.kind === "badge" ? "medal" : "flag"),
      element("span", { class: "what" }, item.what, isNew && element("span", { class: "tag" }, text("activity.new"))),
      mentorName(item.mentorId),
      element("time", { datetime: item.at, title: dateAndTime(item.at) }, since(item.at, new Date())),
    );
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

/**
 * @param {string} title
 * @param {Item[]} items
 * @param {string} nothing
 * @param {(item: Item) => HTMLElement} line
 */
function list(title, items, nothing, line) {
  return [
    element("h3", {}, title),
    items.length > 0
      ? element("ol", { class: "latest", "aria-label": title }, items.map(line))
      : element("p", { class: "nothing" }, nothing),
  ];
}

/** @param {Award} award @returns {Item} */
const ofAward = ({ mentorId, badgeId, badgeName: name, awardedAt }) => ({
  key: `badge ${mentorId} ${badgeId}`,
  kind: "badge",
  mentorId,
  what: badgeName(name),
  at: awardedAt,
});

/** @param {Milestone} milestone @returns {Item} */
const ofMilestone = ({ mentorId, threshold, recordedAt }) => ({
  key: `milestone ${mentorId} ${threshold}`,
  kind: "milestone",
  mentorId,
  what: text("counts.confirmed-number", { n: threshold }),
  at: recordedAt,
});

/** @param {Item} item */
const inWords = ({ kind, mentorId, what }) =>
  kind === "badge"
    ? text("activity.earned", { id: shortId(mentorId), badge: what })
    : text("activity.reached", { id: shortId(mentorId), milestone: what });
