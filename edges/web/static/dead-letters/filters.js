/** Which dead letters are meant: the form, and what the address of a question ends in. */

import { element, fill, find } from "../shared/dom.js";
import { text } from "../shared/text.js";
import { REASONS, TOPICS } from "./reasons.js";

const NAMES = ["show", "reason", "topic", "code", "since", "until"];

export class Filters {
  /** @param {() => void} changed */
  constructor(changed) {
    fill(find("#reason"), option("", text("letters.any-reason")), Object.entries(REASONS).map(([name, said]) => option(name, said)));
    fill(find("#topic"), option("", text("letters.any-topic")), Object.entries(TOPICS).map(([name, said]) => option(name, said)));
    for (const name of NAMES) field(name).addEventListener("change", changed);
    find("#wanted").addEventListener("submit", (event) => {
      event.preventDefault();
      changed();
    });
  }

  get query() {
    const asked = new URLSearchParams({ show: field("show").value });
    for (const name of ["reason", "topic", "code"]) if (field(name).value.trim()) asked.set(name, field(name).value.trim());
    const since = midnight(field("since").value, 0);
    const until = midnight(field("until").value, 1);
    if (since) asked.set("since", since);
    if (until) asked.set("until", until);
    return asked.toString();
  }
}

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (find(`#${name}`));

/** @param {string} value @param {string} said */
const option = (value, said) => element("option", { value }, said);

/**
 * When a day of the reader's begins.
 *
 * @param {string} day YYYY-MM-DD, or empty
 * @param {number} later days after it
 */
function midnight(day, later) {
  if (!day) return null;
  const begins = new Date(`${day}T00:00`);
  begins.setDate(begins.getDate() + later);
  return begins.toISOString();
}
