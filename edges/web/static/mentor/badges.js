/** The badges that a mentor holds, and how far the next one is. */

import { badgeName } from "../shared/badge-names.js";
import { element, fill, icon, isolated } from "../shared/dom.js";
import { dateAndTime, day } from "../shared/format.js";
import { parts, text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").Award} Award
 * @typedef {import("../shared/answers.js").Milestone} Milestone
 * @typedef {import("../shared/answers.js").Mentor} Mentor
 */

/**
 * @param {HTMLElement} body
 * @param {{nextBadge: Mentor["nextBadge"], awards: Award[], milestones: Milestone[]}} given
 */
export function showBadges(body, { nextBadge, awards, milestones }) {
  fill(
    body,
    nextBadge === null
      ? element(
          "p",
          { class: "next quiet" },
          awards.length > 0 ? text("badges.all") : text("badges.no-definitions"),
        )
      : next(nextBadge),
    awards.length === 0 && element("p", { class: "nothing" }, text("badges.none")),
    awards.length > 0 && element("ul", { class: "held", "aria-label": text("badges.held") }, awards.map(held)),
    milestones.length > 0 && [
      element("h3", {}, text("badges.milestones")),
      element(
        "ul",
        { class: "reached", "aria-label": text("badges.reached") },
        milestones.map(({ threshold, reachedAt }) =>
          element(
            "li",
            {},
            icon("flag"),
            element("span", {}, text("counts.confirmed-number", { n: threshold })),
            element("time", { datetime: reachedAt, title: dateAndTime(reachedAt) }, day(reachedAt)),
          ),
        ),
      ),
    ],
    element("p", { class: "quiet" }, text("badges.stay")),
  );
}

/** @param {NonNullable<Mentor["nextBadge"]>} badge */
function next({ name, picture, threshold, remaining }) {
  const done = Math.max(0, threshold - remaining);
  return element(
    "div",
    { class: "next" },
    element(
      "p",
      { class: "coming" },
      icon(picture),
      element("span", {}, parts("badges.next", { name: element("strong", {}, isolated(badgeName(name))) })),
    ),
    element("progress", {
      max: threshold,
      value: done,
      "aria-label": text("badges.progress", { done, threshold, name: badgeName(name) }),
    }),
    element("p", { class: "quiet" }, text("badges.to-go", { done, threshold, n: remaining })),
  );
}

/** @param {Award} award */
const held = ({ badgeName: name, picture, awardedAt }) =>
  element(
    "li",
    {},
    element("span", { class: "medal" }, icon(picture)),
    element("span", { class: "strong" }, isolated(badgeName(name))),
    element(
      "time",
      { class: "quiet", datetime: awardedAt, title: dateAndTime(awardedAt) },
      day(awardedAt),
    ),
  );
