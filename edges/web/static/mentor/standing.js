/** Where a mentor stands, for his coordinator: rank, members by state, channels, why each badge, and what happened. */

import { badgeName } from "../shared/badge-names.js";
import { channelName } from "../shared/channel-names.js";
import { element, fill } from "../shared/dom.js";
import { dateAndTime, day, longDay, number, shortDay } from "../shared/format.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").Standing} Standing
 * @typedef {import("../shared/answers.js").Decision} Decision
 * @typedef {import("../shared/answers.js").Happened} Happened
 */

/** @type {Record<string, string>} */
const REASONS = {
  awarded: text("standing.awarded"),
  already_held: text("standing.already-held"),
  below_threshold: text("standing.below-threshold"),
  no_definitions: text("standing.no-definitions"),
  unknown_mentor: text("standing.unknown-mentor"),
  forged_organisation: text("standing.forged-organisation"),
};

/**
 * @param {HTMLElement} body
 * @param {Standing} standing
 */
export function showStanding(body, standing) {
  const { rank, lastActiveOn, channels, decisions, history } = standing;
  fill(
    body,
    element(
      "dl",
      { class: "facts" },
      fact(
        text("standing.rank"),
        rank === null
          ? text("standing.no-rank")
          : rank.sharedWith > 0
            ? text("standing.shared", { rank: rank.rank, mentors: rank.mentors, n: rank.sharedWith })
            : text("standing.of", { rank: rank.rank, mentors: rank.mentors }),
      ),
      fact(text("standing.last-active"), lastActiveOn ? shortDay(lastActiveOn) : text("help.never")),
      fact(text("counts.confirmed"), number(standing.confirmedAttributions)),
      fact(
        text("counts.pending"),
        standing.pendingForLong > 0
          ? text("standing.pending-long", { all: standing.pendingAttributions, n: standing.pendingForLong })
          : number(standing.pendingAttributions),
      ),
    ),
    channels.length > 0 && [
      element("h3", {}, text("channels.title")),
      table(
        text("channels.title"),
        "channels",
        [
          { head: text("standing.channel"), kind: "name", isName: true },
          { head: text("counts.clicks") },
          { head: text("counts.pending"), kind: "wide" },
          { head: text("counts.confirmed"), kind: "strong" },
        ],
        channels.map(({ channel, clicks, pending, confirmed }) => ({
          cells: [element("bdi", {}, channelName(channel)), number(clicks), number(pending), number(confirmed)],
        })),
      ),
    ],
    decisions.length > 0 && [
      element("h3", {}, text("standing.why")),
      element("ul", { class: "reached", "aria-label": text("standing.why") }, decisive(decisions).map(decided)),
    ],
    element("h3", {}, text("standing.history")),
    element("ul", { class: "reached", "aria-label": text("standing.history") }, history.map(happened)),
  );
}

/**
 * @param {string} name
 * @param {string} said
 */
const fact = (name, said) => element("div", {}, element("dt", {}, name), element("dd", {}, said));

/**
 * What decided about each badge: the milestone that brought it, else the latest one. A milestone without a badge stands for itself.
 *
 * @param {Decision[]} decisions by milestone, the lowest first
 */
function decisive(decisions) {
  /** @type {Map<string, Decision>} */
  const found = new Map();
  for (const decision of decisions) {
    const badge = decision.badgeName ?? `milestone ${decision.threshold}`;
    if (found.get(badge)?.reason !== "awarded") found.set(badge, decision);
  }
  return [...found.values()];
}

/** @param {Decision} decision */
const decided = ({ threshold, badgeName: name, reason, confirmedCount, reachedAt, decidedAt }) => {
  const isReached = reason !== "below_threshold";
  const milestone = { threshold, n: confirmedCount, day: day(reachedAt ?? decidedAt) };
  const because = isReached ? text("standing.because", milestone) : text("standing.so-far", milestone);
  return element(
    "li",
    {},
    element(
      "span",
      {},
      element("span", { class: "strong" }, name === null ? text("counts.confirmed-number", { n: threshold }) : badgeName(name)),
      element("span", { class: "quiet because" }, `${REASONS[reason]}. ${because}`),
    ),
    isReached && element("time", { datetime: decidedAt, title: dateAndTime(decidedAt) }, day(decidedAt)),
  );
};

/** @param {Happened} entry */
const happened = (entry) =>
  element(
    "li",
    {},
    element("span", {}, inWords(entry)),
    element("time", { datetime: entry.at ?? entry.day, title: entry.at ? dateAndTime(entry.at) : longDay(entry.day) }, shortDay(entry.day)),
  );

/** @param {Happened} entry */
function inWords({ kind, threshold, badgeName: name, pending, confirmed }) {
  if (kind === "code") return text("standing.code");
  if (kind === "disabled") return text("standing.disabled");
  if (kind === "milestone") return text("counts.confirmed-number", { n: threshold ?? 0 });
  if (kind === "thanked") return text("standing.thanked", { n: threshold ?? 0 });
  if (kind === "badge") return text("standing.badge", { badge: badgeName(name ?? "") });
  return text("standing.registrations", { pending: signed(pending ?? 0), confirmed: signed(confirmed ?? 0) });
}

/** @param {number} value */
const signed = (value) => (value > 0 ? `+${number(value)}` : number(value));
