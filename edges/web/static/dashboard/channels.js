/** Where clicks and members come from. */

import { element, fill } from "../shared/dom.js";
import { number, percent } from "../shared/format.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";

/** @typedef {import("../shared/answers.js").Channels} Channels */

/** @type {Record<string, string>} */
const NAMES = {
  whatsapp: text("channel.whatsapp"),
  sms: text("channel.sms"),
  email: text("channel.email"),
  qr: text("channel.qr"),
  unknown: text("channel.unknown"),
  other: text("channel.other"),
};

const SHOWN = 6;

/** @type {import("../shared/table.js").Column[]} */
const COLUMNS = [
  { head: text("channels.column"), isName: true },
  { head: text("counts.clicks") },
  { head: text("counts.pending"), kind: "wide" },
  { head: text("counts.confirmed") },
  { head: text("counts.conversion-short"), kind: "spare" },
];

let areAllShown = false;

/**
 * @param {HTMLElement} body
 * @param {Channels} answer
 */
export function showChannels(body, { channels }) {
  if (channels.length === 0) {
    fill(body, element("p", { class: "nothing" }, text("channels.none")));
    return;
  }
  const most = Math.max(...channels.map(({ clicks }) => clicks), 1);
  const rows = channels.slice(0, areAllShown ? undefined : SHOWN).map(({ channel, clicks, pending, confirmed }) => ({
    cells: [
      element("span", { class: "channel" }, NAMES[channel] ?? channel),
      number(clicks),
      number(pending),
      number(confirmed),
      percent(clicks > 0 ? Math.min(confirmed / clicks, 1) : 0),
    ],
  }));
  const made = table(text("channels.caption"), "channels", COLUMNS, rows);
  made.querySelectorAll("tbody th").forEach((name, place) => {
    if (name instanceof HTMLElement) name.style.setProperty("--part", String(channels[place].clicks / most));
  });
  fill(
    body,
    made,
    !areAllShown &&
      channels.length > SHOWN &&
      element("button", { type: "button", class: "button", onclick: showAll }, text("channels.all", { n: channels.length })),
  );

  function showAll() {
    areAllShown = true;
    showChannels(body, { channels });
  }
}
