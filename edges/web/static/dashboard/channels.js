/** Where clicks and members come from. */

import { element, fill } from "../shared/dom.js";
import { number, percent } from "../shared/format.js";

/** @typedef {import("../shared/answers.js").Channels} Channels */

/** @type {Record<string, string>} */
const NAMES = { whatsapp: "WhatsApp", sms: "SMS", email: "Email", unknown: "Not said", other: "Other" };

const SHOWN = 6;

let areAllShown = false;

/**
 * @param {HTMLElement} body
 * @param {Channels} answer
 */
export function showChannels(body, { channels }) {
  if (channels.length === 0) {
    fill(body, element("p", { class: "nothing" }, "No click or registration has named a channel yet."));
    return;
  }
  const most = Math.max(...channels.map(({ clicks }) => clicks), 1);
  const rows = channels.slice(0, areAllShown ? undefined : SHOWN).map(({ channel, clicks, pending, confirmed }) => {
    const name = element("th", { scope: "row" }, element("span", { class: "channel" }, NAMES[channel] ?? channel));
    name.style.setProperty("--part", String(clicks / most));
    return element(
      "tr",
      {},
      name,
      element("td", {}, number(clicks)),
      element("td", { class: "wide" }, number(pending)),
      element("td", {}, number(confirmed)),
      element("td", { class: "spare" }, percent(clicks > 0 ? Math.min(confirmed / clicks, 1) : 0)),
    );
  });
  fill(
    body,
    element(
      "table",
      { class: "channels" },
      element("caption", { class: "unseen" }, "Clicks, registrations and conversion by channel"),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "Channel"),
          element("th", { scope: "col" }, "Clicks"),
          element("th", { scope: "col", class: "wide" }, "Pending"),
          element("th", { scope: "col" }, "Confirmed"),
          element("th", { scope: "col", class: "spare" }, "Conv."),
        ),
      ),
      element("tbody", {}, rows),
    ),
    !areAllShown &&
      channels.length > SHOWN &&
      element("button", { type: "button", class: "button", onclick: showAll }, `Show all ${number(channels.length)}`),
  );

  function showAll() {
    areAllShown = true;
    showChannels(body, { channels });
  }
}
