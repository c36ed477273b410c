/**
 * What the page says: the texts that its scripts name, which it brings in its own language (edges/web/assets.py), out of
 * the catalogues in edges/languages. A key is written out where it is used, so that a test finds every one.
 */

/** @typedef {import("./dom.js").Child} Child */

/** The language that the page is written in. */
export const language = document.documentElement.lang;

/** The reader's way to write numbers and times in this language: British days, not American ones, where he has said so. */
export const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;

/** @type {Record<string, string | Record<string, string>>} a text, or its forms by number */
const texts = JSON.parse(/** @type {HTMLElement} */ (document.querySelector("#texts")).textContent ?? "{}");
const rules = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(locale);

/**
 * A text in parts, so that an element may stand in one of its places: `{name}` is the value of that name, a number as the
 * reader writes it, and the value `n` chooses among the forms of a text that has several.
 *
 * @param {string} key
 * @param {Record<string, Node | string | number>} [values]
 * @returns {(Node | string)[]}
 */
export function parts(key, values = {}) {
  const said = texts[key] ?? key;
  const form = typeof said === "string" ? said : (said[rules.select(Number(values.n))] ?? said.other);
  return form.split(/\{(\w+)\}/).map((part, place) => (place % 2 === 0 ? part : written(values[part])));
}

/**
 * The same as one string.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export const text = (key, values = {}) => parts(key, values).join("");

/** @param {Node | string | number} value */
const written = (value) => (typeof value === "number" ? whole.format(value) : value);
