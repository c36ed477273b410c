/** The badges that a mentor holds, how far the next one is, and each to take along as a file that proves it. */

import { ApiError } from "../shared/api.js";
import { badgeName } from "../shared/badge-names.js";
import { announce, element, fill, icon, isolated } from "../shared/dom.js";
import { dateAndTime, day } from "../shared/format.js";
import { save } from "../shared/saving.js";
import { parts, text } from "../shared/text.js";
import { evidence } from "./evidence.js";

/**
 * @typedef {import("../shared/answers.js").Award} Award
 * @typedef {import("../shared/answers.js").Milestone} Milestone
 * @typedef {import("../shared/answers.js").Mentor} Mentor
 * @typedef {((award: Award) => Promise<Blob>) | null} TakeAlong  null: there are no credentials here
 * @typedef {import("./evidence.js").Load | null} Explain  null: he looks himself
 */

/**
 * @param {HTMLElement} body
 * @param {{nextBadge: Mentor["nextBadge"], awards: Award[], milestones: Milestone[], takeAlong: TakeAlong, explain: Explain}} given
 */
export function showBadges(body, { nextBadge, awards, milestones, takeAlong, explain }) {
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
    awards.length > 0 && element("ul", { class: "held", "aria-label": text("badges.held") }, awards.map((award) => held(award, takeAlong, explain))),
    awards.length > 0 && takeAlong !== null && element("p", { class: "quiet" }, text("badges.take-along-text")),
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

/** @param {Award} award @param {TakeAlong} takeAlong @param {Explain} explain */
function held(award, takeAlong, explain) {
  const { badgeName: name, picture, awardedAt } = award;
  return element(
    "li",
    {},
    element("span", { class: "medal" }, icon(picture)),
    element("span", { class: "strong" }, isolated(badgeName(name))),
    element(
      "time",
      { class: "quiet", datetime: awardedAt, title: dateAndTime(awardedAt) },
      day(awardedAt),
    ),
    takeAlong !== null && takingAlong(award, takeAlong),
    explain !== null && evidence(award, explain),
  );
}

/** @param {Award} award @param {NonNullable<TakeAlong>} takeAlong */
function takingAlong(award, takeAlong) {
  const named = badgeName(award.badgeName);
  const button = /** @type {HTMLButtonElement} */ (
    element(
      "button",
      { type: "button", class: "button", "aria-label": text("badges.take-along-of", { name: named }) },
      icon("download"),
      text("badges.take-along"),
    )
  );
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      save(await takeAlong(award), `badge-${award.badgeId}.json`);
      announce(text("badges.taken-along", { name: named }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      announce(text("export.failed-why", { why: error.message }));
    } finally {
      button.disabled = false;
    }
  });
  return button;
}
