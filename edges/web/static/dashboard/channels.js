/** Where clicks and members come from in the period, and how that went on: lines for the eye, and the same as a table. */

import { channelName } from "../shared/channel-names.js";
import { element, fill } from "../shared/dom.js";
import { days, number, shortDay } from "../shared/format.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").History} History
 * @typedef {import("../shared/answers.js").Channel} Channel
 */

const SHOWN = 6;
const DAY_MS = 86_400_000;
const LINE = { width: 120, height: 24 };

/** @type {import("../shared/table.js").Column[]} */
const COLUMNS = [
  { head: text("channels.column"), isName: true },
  { head: text("counts.clicks") },
  { head: text("counts.registered"), kind: "wide" },
  { head: text("counts.confirmed") },
];

let areAllShown = false;
let isOverTime = false;

/**
 * @param {HTMLElement} body
 * @param {History} history
 */
export function showChannels(body, history) {
  const { channels } = history;
  if (channels.length === 0) {
    fill(body, element("p", { class: "nothing" }, text("channels.none")));
    return;
  }
  fill(
    body,
    isOverTime ? overTime(history) : inAll(channels.slice(0, areAllShown ? undefined : SHOWN)),
    element(
      "div",
      { class: "channel-foot" },
      !areAllShown && !isOverTime && channels.length > SHOWN && button(text("channels.all", { n: channels.length }), showAll),
      button(isOverTime ? text("channels.in-all") : text("channels.over-time"), turn),
    ),
  );

  function showAll() {
    areAllShown = true;
    showChannels(body, history);
  }

  function turn() {
    isOverTime = !isOverTime;
    showChannels(body, history);
    body.querySelector("button:last-of-type")?.focus();
  }
}

/** @param {string} words @param {() => void} onclick */
const button = (words, onclick) => element("button", { type: "button", class: "button", onclick }, words);

/** A row for each channel: the period, what was before it, and a line of how registrations went on. @param {Channel[]} channels */
function inAll(channels) {
  const rows = channels.map(({ channel, before, parts, ...now }) => ({
    cells: [
      [element("span", { class: "channel" }, channelName(channel)), line(parts)],
      beside(now.clicks, before.clicks),
      beside(now.registered, before.registered),
      beside(now.confirmed, before.confirmed),
    ],
  }));
  return table(text("channels.caption"), "channels", COLUMNS, rows);
}

/** @param {number} now @param {number} before */
const beside = (now, before) => [number(now), element("span", { class: "before" }, text("channels.before", { n: before }))];

/** A row for each part of the period and channel in which anything happened, the latest first. @param {History} history */
function overTime({ period, partDays, channels }) {
  const parts = channels[0].parts.map((_, place) => place).toReversed();
  const rows = parts.flatMap((place) =>
    channels
      .filter(({ parts }) => Object.values(parts[place]).some((count) => count !== 0))
      .map(({ channel, parts }) => ({
        cells: [
          [element("span", { class: "channel" }, channelName(channel)), element("span", { class: "before" }, called(place))],
          number(parts[place].clicks),
          number(parts[place].registered),
          number(parts[place].confirmed),
        ],
      })),
  );
  return element(
    "div",
    { class: "over-time", tabindex: 0, role: "group", "aria-label": text("channels.over-time") },
    table(text("channels.over-time-caption"), "channels", COLUMNS, rows),
  );

  /** @param {number} place */
  function called(place) {
    const from = new Date(Date.parse(period.from) + place * partDays * DAY_MS);
    const to = new Date(Math.min(from.getTime() + (partDays - 1) * DAY_MS, Date.parse(period.to)));
    const [first, last] = [from, to].map((day) => day.toISOString().slice(0, 10));
    return first === last ? shortDay(first) : days(first, last);
  }
}

/** How registrations went on, or clicks where nobody registered; the table says the same. @param {Channel["parts"]} parts */
function line(parts) {
  const kind = parts.some(({ registered }) => registered > 0) ? "registered" : "clicks";
  const most = Math.max(...parts.map((part) => part[kind]), 1);
  const points = parts.map((part, place) => {
    const x = parts.length > 1 ? (place / (parts.length - 1)) * LINE.width : LINE.width / 2;
    return `${x.toFixed(1)},${(LINE.height - 2 - (part[kind] / most) * (LINE.height - 4)).toFixed(1)}`;
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "trend");
  svg.setAttribute("viewBox", `0 0 ${LINE.width} ${LINE.height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  drawn.setAttribute("points", points.join(" "));
  svg.append(drawn);
  return svg;
}
