/** The badges that a mentor holds, and how far the next one is. */

import { element, fill, icon } from "../shared/dom.js";
import { dateAndTime, number } from "../shared/format.js";

/**
 * @typedef {import("../shared/answers.js").Award} Award
 * @typedef {import("../shared/answers.js").Milestone} Milestone
 * @typedef {import("../shared/answers.js").Mentor} Mentor
 */

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

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
          awards.length > 0 ? "Every badge there is, earned." : "Your organisation has no badges yet.",
        )
      : next(nextBadge),
    awards.length === 0 &&
      element("p", { class: "nothing" }, "None yet. The first comes with the first confirmed member."),
    awards.length > 0 && element("ul", { class: "held", "aria-label": "Badges held" }, awards.map(held)),
    milestones.length > 0 && [
      element("h3", {}, "Milestones"),
      element(
        "ul",
        { class: "reached", "aria-label": "Milestones reached" },
        milestones.map(({ threshold, reachedAt }) =>
          element(
            "li",
            {},
            icon("flag"),
            element("span", {}, `${number(threshold)} confirmed`),
            element("time", { datetime: reachedAt, title: dateAndTime(reachedAt) }, day.format(new Date(reachedAt))),
          ),
        ),
      ),
    ],
  );
}

/** @param {NonNullable<Mentor["nextBadge"]>} badge */
function next({ name, threshold, remaining }) {
  const done = Math.max(0, threshold - remaining);
  return element(
    "div",
    { class: "next" },
    element("p", {}, element("span", { class: "quiet" }, "Next "), element("strong", {}, name)),
    element("progress", {
      max: threshold,
      value: done,
      "aria-label": `${done} of ${threshold} confirmed for the badge ${name}`,
    }),
    element("p", { class: "quiet" }, `${number(done)} of ${number(threshold)} confirmed, ${number(remaining)} to go`),
  );
}

/** @param {Award} award */
const held = ({ badgeName, awardedAt }) =>
  element(
    "li",
    {},
    element("span", { class: "medal" }, icon("medal")),
    element("span", { class: "strong" }, badgeName),
    element(
      "time",
      { class: "quiet", datetime: awardedAt, title: dateAndTime(awardedAt) },
      day.format(new Date(awardedAt)),
    ),
  );
