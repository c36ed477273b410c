/** How far the components are: what waits for each, and what could not be used. */

import { element, fill } from "../shared/dom.js";
import { number, timeOrDate } from "../shared/format.js";
import { text } from "../shared/text.js";
import { line, verdictOf } from "./state.js";

/** @typedef {import("../shared/answers.js").Pipeline} Pipeline */

/** @type {Record<Pipeline["state"], [string, string]>} */
const STATES = {
  ok: [text("pipeline.ok"), text("pipeline.ok-means")],
  behind: [text("pipeline.behind"), text("pipeline.behind-means")],
  unreachable: [text("pipeline.unreachable"), text("pipeline.unreachable-means")],
};

/** @type {Record<string, [string, string]>} */
const COMPONENTS = {
  stream: [text("pipeline.stream"), text("pipeline.stream-does")],
  badges: [text("pipeline.badges"), text("pipeline.badges-does")],
  counts: [text("pipeline.counts"), text("pipeline.counts-does")],
  history: [text("pipeline.history"), text("pipeline.history-does")],
};

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
          ...(COMPONENTS[name] ?? [name, undefined]),
          state === "unreachable"
            ? text("pipeline.unknown")
            : lag === 0
              ? text("pipeline.done")
              : text("pipeline.waiting", { n: lag }),
          lag === 0 ? "idle" : "",
        ),
      ),
      line(
        text("pipeline.dead-letters"),
        text("pipeline.dead-letters-means"),
        state === "unreachable" ? text("pipeline.unknown") : number(deadLetters),
        "idle", // of any organisation: whoever runs the installation sees to them
      ),
    ),
    element("p", { class: "quiet checked" }, text("pipeline.checked", { time: timeOrDate(checkedAt) })),
  );
}
