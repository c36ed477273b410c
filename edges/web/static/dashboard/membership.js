/** What the last run of reconciliation found in the membership system, and what it left for somebody to look at. */

import { element, fill, find, inEnglish } from "../shared/dom.js";
import { number, timeOrDate } from "../shared/format.js";
import { text } from "../shared/text.js";
import { faultInWords } from "./faults.js";
import { placeInWords, reasonLeft } from "./left.js";
import { line, verdictOf } from "./state.js";

/**
 * @typedef {import("../shared/answers.js").Reconciliation} Reconciliation
 * @typedef {import("../shared/answers.js").ReconciliationRun} Run
 */

const ROWS_SHOWN = 5;

/**
 * An organisation without a run has nothing to be shown.
 *
 * @param {HTMLElement} body
 * @param {Reconciliation} reconciliation
 */
export function showMembership(body, { runs: [run] }) {
  find("#membership").hidden = run === undefined;
  if (run === undefined) return;
  const [state, name, meaning] = verdict(run);
  fill(
    body,
    verdictOf(state, name, meaning),
    element(
      "dl",
      { class: "components" },
      counted(text("membership.back-filled"), text("membership.back-filled-means"), run.backFilled),
      counted(text("membership.withdrawn"), text("membership.withdrawn-means"), run.withdrawn),
      counted(text("membership.matched"), text("membership.matched-means"), run.matched),
      counted(text("membership.unchanged"), text("membership.unchanged-means"), run.unchanged),
      counted(text("membership.unclear"), text("membership.unclear-means"), run.unclear, run.unclear > 0),
      counted(text("membership.bad"), text("membership.bad-means"), run.badRows, run.badRows > 0),
    ),
    run.rowsLeft.length > 0 &&
      element(
        "ul",
        { class: "rows-left", "aria-label": text("membership.rows") },
        run.rowsLeft
          .slice(0, ROWS_SHOWN)
          .map((row) => element("li", {}, element("strong", {}, placeInWords(row.place)), " ", reasonLeft(row) ?? inEnglish(row.reason))),
      ),
    element("p", { class: "quiet checked" }, text("membership.asked", { time: timeOrDate(run.startedAt) })),
  );
}

/** @param {Run} run @returns {[string, string, import("../shared/dom.js").Child | import("../shared/dom.js").Child[]]} */
function verdict(run) {
  if (run.error !== null) return ["unreachable", text("membership.failed"), faultInWords(run.fault) ?? inEnglish(run.error)];
  if (run.finishedAt === null) return ["behind", text("membership.running"), text("membership.running-means")];
  if (run.incomplete !== null) return ["behind", text("membership.incomplete"), faultInWords(run.fault) ?? inEnglish(run.incomplete)];
  if (run.unclear + run.badRows > 0)
    return ["behind", text("membership.left"), text("membership.left-means")];
  return ["ok", text("membership.complete"), text("membership.complete-means")];
}

/**
 * @param {string} name
 * @param {string} does
 * @param {number} count
 * @param {boolean} [isLeft]
 */
const counted = (name, does, count, isLeft = false) =>
  line(name, does, number(count), isLeft ? "attention" : "idle");
