/** What an award came of, for a coordinator: folded behind each badge, and asked for when it is opened. */

import { ApiError } from "../shared/api.js";
import { badgeName } from "../shared/badge-names.js";
import { channelName } from "../shared/channel-names.js";
import { element, fill } from "../shared/dom.js";
import { dateAndTime, day, number } from "../shared/format.js";
import { failure } from "../shared/panel.js";
import { parts, text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").Award} Award
 * @typedef {import("../shared/answers.js").AwardEvidence} Evidence
 * @typedef {import("../shared/answers.js").RegistrationCounted} Registration
 * @typedef {(award: Award) => Promise<Evidence>} Load
 */

/**
 * @param {Award} award
 * @param {Load} load
 */
export function evidence(award, load) {
  const body = element("div", { "aria-live": "polite" });
  let isAsked = false;
  const ask = async () => {
    isAsked = true;
    fill(body, element("p", { class: "quiet" }, text("evidence.loading")));
    try {
      fill(body, told(await load(award)).flat());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(body, failure(error.message, () => void ask()));
    }
  };
  const name = badgeName(award.badgeName);
  return element(
    "details",
    { class: "evidence", ontoggle: (/** @type {Event} */ event) => {
      if (/** @type {HTMLDetailsElement} */ (event.currentTarget).open && !isAsked) void ask();
    } },
    element("summary", { "aria-label": text("evidence.why-of", { name }) }, text("evidence.why")),
    body,
  );
}

/** @param {Evidence} found */
function told({ threshold, confirmedCount, awardedAt, milestone, topic, registrations, hasMore, totalClicks, clicksByChannel }) {
  const crossing = registrations.find(({ crossed }) => crossed);
  return [
    element(
      "p",
      {},
      milestone === null
        ? text("evidence.back-filled", { day: day(awardedAt), threshold, n: confirmedCount })
        : text("evidence.milestone", { threshold: milestone.threshold, n: confirmedCount, day: dateAndTime(milestone.reachedAt), recorded: dateAndTime(milestone.recordedAt) }),
    ),
    crossing !== undefined && element("p", {}, crossed(crossing, topic)),
    crossing === undefined && milestone !== null && element("p", { class: "quiet" }, text("evidence.not-known")),
    registrations.length > 0 && [
      element("h3", {}, text("evidence.registrations")),
      element("ol", { class: "reached", "aria-label": text("evidence.registrations") }, registrations.map(line)),
    ],
    hasMore && element("p", { class: "quiet" }, text("evidence.more", { n: registrations.length })),
    element("p", { class: "quiet" }, text("evidence.clicks", { n: totalClicks })),
    clicksByChannel.length > 0 &&
      element(
        "p",
        { class: "quiet" },
        text("evidence.clicks-by-channel"),
        clicksByChannel.map(({ channel, clicks }, index) =>
          element(
            "span",
            {},
            index > 0 && ", ",
            parts("evidence.clicks-of-channel", { channel: element("bdi", {}, channelName(channel)), n: number(clicks) }),
          ),
        ),
      ),
  ];
}

/**
 * @param {Registration} crossing
 * @param {string} topic
 */
function crossed({ confirmedAt, channel, partition, offset }, topic) {
  const place = element("code", {}, `${topic}/${partition}/${offset}`);
  return element(
    "span",
    {},
    parts("evidence.crossed", { day: dateAndTime(confirmedAt), channel: element("bdi", {}, channelName(channel)), place }),
  );
}

/** @param {Registration} registration */
const line = ({ registeredAt, confirmedAt, withdrawnAt, channel, partition, offset, crossed }) =>
  element(
    "li",
    {},
    element(
      "span",
      {},
      text("evidence.confirmed", { day: day(confirmedAt) }),
      crossed && element("span", { class: "tag" }, text("evidence.mark")),
      element(
        "span",
        { class: "quiet because" },
        parts("evidence.registered", { day: day(registeredAt), channel: element("bdi", {}, channelName(channel)) }),
        partition !== null && offset !== null && `; ${text("evidence.record", { place: `${partition}/${offset}` })}`,
        withdrawnAt !== null && `; ${text("evidence.withdrawn", { day: day(withdrawnAt) })}`,
      ),
    ),
  );
