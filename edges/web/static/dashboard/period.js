/**
 * The period that the whole page shows. It is in the page's address, so a link can be passed on and the back button
 * works; what it is called there is what the API calls it.
 */

import { element, fill, find } from "../shared/dom.js";
import { days } from "../shared/format.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").History} History
 * @typedef {import("../shared/answers.js").PeriodSums} PeriodSums
 */

const NAMES = ["days", "quarter", "from", "to"];
const USUAL = "days=30";
const RANGE = "range";

export class Period {
  #form = /** @type {HTMLFormElement} */ (find("#period"));
  #range = find("#range");
  #said = find("#period-said");
  /** @type {PeriodSums | null} */
  #shown = null;

  /** @param {() => void} onChange told when another one is to be shown */
  constructor(onChange) {
    this.#onChange = onChange;
  }
  #onChange;

  /** What the API is asked for, as a query without its question mark. */
  get query() {
    const address = new URLSearchParams(location.search);
    return String(new URLSearchParams(NAMES.flatMap((name) => address.getAll(name).map((value) => [name, value]))));
  }

  /** Listen to who chooses, and to the back button. */
  start() {
    this.#form.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement && target.type === "radio") this.#choose(target.value);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, to] = this.#inputs.map(({ value }) => value);
      if (from) this.#go(String(new URLSearchParams(to ? { from, to } : { from })));
    });
    addEventListener("popstate", () => {
      this.#reflect();
      this.#onChange();
    });
    this.#reflect();
  }

  /** Say which days are shown, and which they are compared with. @param {History} history */
  show({ period, before, today, timeZone }) {
    this.#shown = period;
    fill(
      this.#said,
      element("strong", {}, days(period.from, period.to)),
      " ",
      element("span", {}, text("period.before", { days: days(before.from, before.to) })),
      " ",
      element("span", {}, text("period.zone", { zone: timeZone })),
    );
    for (const input of this.#inputs) input.max = today;
    this.#reflect();
  }

  /** @param {string} choice */
  #choose(choice) {
    this.#range.hidden = choice !== RANGE;
    if (choice === RANGE) this.#fillRange();
    else this.#go(choice);
  }

  /** @param {string} query */
  #go(query) {
    const address = new URLSearchParams(location.search);
    for (const name of NAMES) address.delete(name);
    for (const [name, value] of new URLSearchParams(query)) address.set(name, value);
    history.pushState(null, "", `${location.pathname}?${address}${location.hash}`);
    this.#reflect();
    this.#onChange();
  }

  /** Let the choices say what the address says. */
  #reflect() {
    const query = this.query || USUAL;
    const choices = [...this.#form.querySelectorAll("input")].filter(({ type }) => type === "radio");
    const choice = choices.find(({ value }) => value === query) ?? choices.find(({ value }) => value === RANGE);
    if (choice) choice.checked = true;
    this.#range.hidden = choice?.value !== RANGE;
    if (choice?.value === RANGE) this.#fillRange();
  }

  #fillRange() {
    const [from, to] = this.#inputs;
    const address = new URLSearchParams(location.search);
    from.value = address.get("from") ?? this.#shown?.from ?? "";
    to.value = address.get("to") ?? this.#shown?.to ?? "";
  }

  get #inputs() {
    return [...this.#range.querySelectorAll("input")];
  }
}
