/** What came of a mentor's link. */

import { element, fill } from "../shared/dom.js";
import { dateAndTime, number, percent, since } from "../shared/format.js";
import { text } from "../shared/text.js";

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
      tile(text("counts.clicks"), number(totalClicks), "clicks"),
      tile(text("counts.pending"), number(pendingAttributions), "pending"),
      tile(text("counts.confirmed"), number(confirmedAttributions), "confirmed"),
      tile(text("counts.conversion"), percent(conversionRate), "conversion"),
    ),
    element(
      "p",
      { class: "quiet" },
      updatedAt === null
        ? text("me.no-clicks")
        : [
            text("since.updated"),
            " ",
            element("time", { datetime: updatedAt, title: dateAndTime(updatedAt) }, since(updatedAt, new Date())),
          ],
    ),
  );
}

/**
 * @param {string} name
 * @param {string} figure
 * @param {string} key
 */
const tile = (name, figure, key) =>
  element("div", {}, element("dt", {}, name), element("dd", { "data-figure": key }, figure));
