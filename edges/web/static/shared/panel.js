/** A part of a page that loads by itself: bones while it waits, what it shows, or what went wrong with a way to retry. */

import { ApiError } from "./api.js";
import { element, fill, find, retryButton } from "./dom.js";
import { text } from "./text.js";

/** @template Answer */
export class Panel {
  #isShown = false;
  /** What is shown, as text: the answer, or what went wrong. */
  #shown = "";
  /** Counts up when another question is asked. */
  #question = 0;
  /** Whether what is shown answers the question before: under this one it would be wrong, and not just old. */
  #isOfAnother = false;

  /**
   * @param {string} selector where it is
   * @param {object} given
   * @param {() => Promise<Answer>} given.load
   * @param {(body: HTMLElement, answer: Answer) => void} given.show puts the answer into the panel's body
   * @param {(error: ApiError) => boolean} given.settle tells whether an error concerns the whole page and is dealt with
   */
  constructor(selector, { load, show, settle }) {
    this.root = find(selector);
    this.body = find(".body", this.root);
    this.#load = load;
    this.#show = show;
    this.#settle = settle;
  }
  #load;
  #show;
  #settle;

  /** Whether an answer is shown. */
  get isShown() {
    return this.#isShown;
  }

  /** Load what is another question now: an answer that says the same is shown anew, one to the question before is not shown. */
  loadAnother() {
    this.#shown = "";
    this.#question++;
    this.#isOfAnother = true;
    return this.load();
  }

  /**
   * Load and show; return what went wrong, null where nothing did. What stands there already stays where that fails: it
   * is old, not wrong, unless it answers another question.
   *
   * @returns {Promise<ApiError | null>}
   */
  async load() {
    const question = this.#question;
    try {
      const answer = await this.#load();
      if (question === this.#question) this.show(answer);
      return null;
    } catch (error) {
      const isAnswer = error instanceof ApiError;
      if (isAnswer && (this.#settle(error) || question !== this.#question)) return error;
      if (isAnswer && this.#isShown && !this.#isOfAnother) return error;
      this.root.removeAttribute("aria-busy");
      this.#isShown = false;
      const message = isAnswer ? error.message : text("failure.panel");
      if (this.#shown !== message)
        fill(
          this.body,
          failure(message, () => this.#retry()),
        ); // what says so already keeps the focus
      this.#shown = message;
      if (!isAnswer) throw error; // a mistake of ours: for whoever reads the browser's console
      return error;
    }
  }

  /**
   * Show an answer; nothing is touched where it says what is shown already, and the focus stays where it is.
   *
   * @param {Answer} answer
   */
  show(answer) {
    const said = JSON.stringify(answer);
    if (said === this.#shown) return;
    this.#shown = said;
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    if (!this.#isShown) fill(this.body);
    this.#isShown = true;
    this.#isOfAnother = false;
    this.root.removeAttribute("aria-busy");
    this.#show(this.body, answer);
    if (focused !== null && !focused.isConnected) refocus(this.body, focused);
  }

  #retry() {
    this.root.setAttribute("aria-busy", "true");
    this.#shown = "";
    fill(this.body, element("div", { class: "bones" }, element("i"), element("i"), element("i")));
    void this.load();
  }
}

/**
 * Move the focus to what stands in place of an element that had it.
 *
 * @param {HTMLElement} body
 * @param {Element} former
 */
function refocus(body, former) {
  const nameOf = (/** @type {Element} */ node) =>
    node.getAttribute("data-about") ?? node.getAttribute("aria-label") ?? node.textContent;
  /** @type {HTMLElement | undefined} */
  const same = [...body.querySelectorAll(/** @type {"button"} */ (former.localName))].find(
    (node) => nameOf(node) === nameOf(former),
  );
  const next = same?.matches(":disabled") ? same.parentElement?.querySelector("button:enabled") : same;
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
}

/**
 * What went wrong, and a button to try again.
 *
 * @param {string} message
 * @param {() => void} retry
 */
export function failure(message, retry) {
  return element(
    "div",
    { class: "failure", role: "alert" },
    element("p", {}, message),
    retryButton(text("failure.retry"), retry),
  );
}

/**
 * Show a failure in place of the whole page until it is retried.
 *
 * @param {string} message
 * @param {() => void} retry
 */
export function showFailure(message, retry) {
  const place = find("#failure");
  const isShown = document.body.dataset.state === "failed" && !place.hidden;
  document.body.dataset.state = "failed";
  place.hidden = false;
  if (isShown) return;
  fill(
    place,
    element("h1", {}, text("opening.title")),
    failure(message, () => {
      delete document.body.dataset.state;
      place.hidden = true;
      retry();
    }),
  );
}
