/** How a panel says how something stands: a verdict with its meaning, and a line for each thing that is counted. */

import { element } from "../shared/dom.js";

/**
 * @param {string} state
 * @param {string} name
 * @param {import("../shared/dom.js").Child} meaning
 */
export const verdictOf = (state, name, meaning) =>
  element(
    "div",
    { class: "verdict" },
    element("p", { class: "state", "data-state": state }, name),
    element("p", { class: "quiet" }, meaning),
  );

/**
 * @param {string} name
 * @param {string | undefined} does
 * @param {string} text
 * @param {string} kind
 */
export const line = (name, does, text, kind) =>
  element(
    "div",
    {},
    element("dt", {}, name, does && element("span", { class: "quiet" }, does)),
    element("dd", { class: kind }, text),
  );
