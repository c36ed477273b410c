/** How far the components are: what waits for each, and what could not be used. */

import { element, fill } from "../shared/dom.js";
import { number, timeOrDate } from "../shared/format.js";
import { line, verdictOf } from "./state.js";

/** @typedef {import("../shared/answers.js").Pipeline} Pipeline */

/** @type {Record<Pipeline["state"], [string, string]>} */
const STATES = {
  ok: ["Up to date", "What comes in is counted within seconds."],
  behind: [
    "Behind",
    "More comes in than is processed, or a component does not run. Nothing is lost; figures come later.",
  ],
  unreachable: [
    "Kafka unreachable",
    "Share links still work, and their clicks are kept. Figures go on when Kafka is back.",
  ],
};

/** @type {Record<string, string>} */
const DOES = { stream: "counts clicks and registrations", badges: "awards badges", counts: "brings the counts here" };

/**
 * @param {HTMLElement} body
 * @param {Pipeline} pipeline
 */
export function showPipeline(body, { components, deadLetters, state, checkedAt }) {
  const [name, meaning] = STATES[state];
  fill(
    body,
    verdictOf(state, name, meaning),
    element(
      "dl",
      { class: "components" },
      components.map(({ name, lag }) =>
        line(
          name,
          DOES[name],
          state === "unreachable" ? "unknown" : lag === 0 ? "up to date" : `${number(lag)} waiting`,
          lag === 0 ? "idle" : "",
        ),
      ),
      line(
        "dead letters",
        "could not be used, in all organisations here",
        state === "unreachable" ? "unknown" : number(deadLetters),
        "idle", // of any organisation: whoever runs the installation sees to them
      ),
    ),
    element("p", { class: "quiet checked" }, `Checked at ${timeOrDate(checkedAt)}`),
  );
}
