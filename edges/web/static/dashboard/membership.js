/** What the last run of reconciliation found in the membership system, and what it left for somebody to look at. */

import { element, fill, find } from "../shared/dom.js";
import { number, timeOrDate } from "../shared/format.js";
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
      counted("back-filled", "confirmed there, and unknown here until then", run.backFilled),
      counted("withdrawn", "withdrawn there, and unknown here until then", run.withdrawn),
      counted("matched", "known here already", run.matched),
      counted("unchanged", "no code, or not confirmed", run.unchanged),
      counted("unclear", "not certain, so nothing was published", run.unclear, run.unclear > 0),
      counted("bad", "could not be read", run.badRows, run.badRows > 0),
    ),
    run.rowsLeft.length > 0 &&
      element(
        "ul",
        { class: "rows-left", "aria-label": "Rows left" },
        run.rowsLeft
          .slice(0, ROWS_SHOWN)
          .map(({ place, reason }) => element("li", {}, element("strong", {}, place), ` ${reason}`)),
      ),
    element("p", { class: "quiet checked" }, `Asked at ${timeOrDate(run.startedAt)}`),
  );
}

/** @param {Run} run @returns {[string, string, string]} */
function verdict(run) {
  if (run.error !== null) return ["unreachable", "Failed", run.error];
  if (run.finishedAt === null) return ["behind", "Not at its end", "It runs, or will be gone on with."];
  if (run.incomplete !== null) return ["behind", "Not complete", run.incomplete];
  if (run.unclear + run.badRows > 0)
    return ["behind", "Rows are left", "Everything was seen; some rows are for somebody to look at."];
  return ["ok", "Complete", "Everything was seen, and nothing is left."];
}

/**
 * @param {string} name
 * @param {string} does
 * @param {number} count
 * @param {boolean} [isLeft]
 */
const counted = (name, does, count, isLeft = false) =>
  line(name, does, number(count), isLeft ? "attention" : "idle");
