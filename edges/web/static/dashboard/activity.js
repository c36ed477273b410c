/** The latest badges and milestones; one that arrives while the page is open is marked as new, and said. */

import { announce, element, fill, icon } from "../shared/dom.js";
import { dateAndTime, number, shortId, since } from "../shared/format.js";
import { mentorName } from "./mentors.js";

/**
 * @typedef {import("../shared/answers.js").Activity} Activity
 * @typedef {import("../shared/answers.js").Award} Award
 * @typedef {import("../shared/answers.js").Milestone} Milestone
 * @typedef {{key: string, kind: string, mentorId: string, text: string, at: string}} Item
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
      list("Badges", badges, "Nobody has earned a badge yet.", (item) => this.#line(item)),
      list("Milestones", thresholds, "Nobody has reached a milestone yet.", (item) => this.#line(item)),
    );
    if (arrived.length > 0)
      announce(
        arrived.length <= 2 ? arrived.map(inWords).join(" ") : `${number(arrived.length)} new badges and milestones.`,
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
      element("span", { class: "what" }, item.text, isNew && element("span", { class: "tag" }, "New")),
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
const ofAward = ({ mentorId, badgeId, badgeName, awardedAt }) => ({
  key: `badge ${mentorId} ${badgeId}`,
  kind: "badge",
  mentorId,
  text: badgeName,
  at: awardedAt,
});

/** @param {Milestone} milestone @returns {Item} */
const ofMilestone = ({ mentorId, threshold, recordedAt }) => ({
  key: `milestone ${mentorId} ${threshold}`,
  kind: "milestone",
  mentorId,
  text: `${number(threshold)} confirmed`,
  at: recordedAt,
});

/** @param {Item} item */
const inWords = ({ kind, mentorId, text }) =>
  kind === "badge"
    ? `Mentor ${shortId(mentorId)} earned the badge ${text}.`
    : `Mentor ${shortId(mentorId)} reached ${text}.`;
