/** Makes and finds elements. Text only ever becomes a text node, so no answer can become markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */

const ICONS = new URL("../icons.svg", import.meta.url).href;

/**
 * Make an element. An attribute `onclick` and the like is a listener; one that is false, null or undefined is left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice("on".length), value);
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...present(children));
  return made;
}

/**
 * Replace what an element holds.
 *
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...present(children));
}

/**
 * A text that people chose, kept apart from the direction of what stands around it.
 *
 * @param {string} text
 */
export const isolated = (text) => element("bdi", {}, text);

/**
 * What others said, a library or an error of theirs, in English whatever the page is written in.
 *
 * @param {string} said
 */
export const inEnglish = (said) => element("span", { lang: "en", dir: "auto" }, said);

/**
 * Find the one element that a selector names; that it is missing is a mistake in the page.
 *
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {HTMLElement}
 */
export function find(selector, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return found;
}

/**
 * An icon of icons.svg, for the eye only.
 *
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * A button for what did not come.
 *
 * @param {string} text
 * @param {() => void} again
 */
export function retryButton(text, again) {
  return element("button", { type: "button", class: "button", onclick: () => again() }, icon("retry"), text);
}

/** @type {number | undefined} */
let silence;

/**
 * Tell those who listen instead of look, politely.
 *
 * @param {string} text
 */
export function announce(text) {
  const region = find("#announcer");
  region.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => (region.textContent = ""), 10_000); // so that the same words can be said again
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function present(children) {
  return children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : /** @type {Node | string} */ (child)));
}
