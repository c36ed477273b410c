/** What came of a mentor's link. */

import { element, fill } from "../shared/dom.js";
import { dateAndTime, number, percent, since } from "../shared/format.js";

/**
 * @param {HTMLElement} body
 * @param {import("../shared/answers.js").Counts} counts
 */
export function showCounts(
  body,
  { totalClicks, pendingAttributions, confirmedAttributions, conversionRate, updatedAt },
) {
  fill(
    body,
    element(
      "dl",
      { class: "tiles" },
      tile("Clicks", number(totalClicks), "clicks"),
      tile("Pending", number(pendingAttributions), "pending"),
      tile("Confirmed", number(confirmedAttributions), "confirmed"),
      tile("Conversion", percent(conversionRate), "conversion"),
    ),
    element(
      "p",
      { class: "quiet" },
      updatedAt === null
        ? "Nobody has opened the link yet."
        : [
            "Last updated ",
            element("time", { datetime: updatedAt, title: dateAndTime(updatedAt) }, since(updatedAt, new Date())),
          ],
    ),
  );
}

/**
 * @param {string} name
 * @param {string} text
 * @param {string} key
 */
const tile = (name, text, key) =>
  element("div", {}, element("dt", {}, name), element("dd", { "data-figure": key }, text));
