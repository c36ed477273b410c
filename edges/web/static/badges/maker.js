/**
 * The form on which an administrator makes a badge, or changes one of his organisation's own: who would be awarded it at
 * once is said before it is made. A badge has an id before it is sent, so what is sent again after a fault makes no other.
 */

import { ApiError } from "../shared/api.js";
import { announce, element, fill, find, icon } from "../shared/dom.js";
import { text } from "../shared/text.js";
import { mentorsDue } from "./due.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/answers.js").Badge} Badge
 * @typedef {import("../shared/answers.js").BadgePreview} BadgePreview
 */

/** By the names of their icons. @type {Record<string, string>} */
const PICTURES = {
  medal: text("picture.medal"),
  star: text("picture.star"),
  trophy: text("picture.trophy"),
  rocket: text("picture.rocket"),
  heart: text("picture.heart"),
  sprout: text("picture.sprout"),
  mountain: text("picture.mountain"),
  crown: text("picture.crown"),
};

export class Maker {
  #api;
  #settle;
  #saved;
  #badgeId = newId();
  /** The badge that is changed; null: a new one is made. @type {Badge | null} */
  #changed = null;
  /** @type {number[]} */
  #thresholds = [];
  /** How many would be awarded it at once. */
  #due = 0;
  #isBusy = false;

  /**
   * @param {Api} api
   * @param {object} given
   * @param {(error: ApiError) => boolean} given.settle
   * @param {() => Promise<unknown>} given.saved
   */
  constructor(api, { settle, saved }) {
    this.#api = api;
    this.#settle = settle;
    this.#saved = saved;
    fill(find("#pictures"), Object.entries(PICTURES).map(choice));
    this.#threshold.addEventListener("change", () => void this.#look());
    find("#cancel").addEventListener("click", () => this.#begin());
    find("#badge").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#save();
    });
  }

  get #threshold() {
    return /** @type {HTMLSelectElement} */ (find("#threshold"));
  }

  get #name() {
    return /** @type {HTMLInputElement} */ (find("#name"));
  }

  /** Offer the counts at which a badge can be. @param {number[]} thresholds */
  offer(thresholds) {
    const isFirst = find("#badge").hidden;
    this.#thresholds = thresholds;
    find("#badge").hidden = false;
    if (isFirst) this.#begin();
  }

  /** Begin to change a badge. @param {Badge} badge */
  change(badge) {
    this.#begin(badge);
    find("#maker-title").focus({ preventScroll: true });
    find("#maker").scrollIntoView({ block: "nearest" });
  }

  /** @param {Badge | null} [badge] the one to be changed; none: a new one is made */
  #begin(badge = null) {
    this.#changed = badge;
    this.#badgeId = badge?.badgeId ?? newId();
    find("#maker-title").textContent =
      badge === null ? text("making.new") : text("making.change-name", { name: badge.badgeName });
    this.#name.value = badge?.badgeName ?? "";
    const thresholds = badge === null ? this.#thresholds : [badge.threshold];
    fill(
      this.#threshold,
      thresholds.map((n) => element("option", { value: n }, text("counts.confirmed-number", { n }))),
    );
    this.#threshold.disabled = badge !== null;
    find("#threshold-said").textContent = badge === null ? text("making.thresholds") : text("making.stands");
    const picture = badge?.picture ?? "medal";
    /** @type {HTMLInputElement} */ (find(`#pictures input[value="${picture}"]`)).checked = true;
    find("#cancel").hidden = badge === null;
    find("#fault").textContent = "";
    void this.#look();
  }

  /** Say who would be awarded a new badge at once. */
  async #look() {
    const badge = this.#changed;
    const threshold = this.#threshold.value;
    this.#due = 0;
    this.#nameButton();
    if (badge !== null || threshold === "") return void fill(find("#reached"));
    try {
      /** @type {BadgePreview} */
      const preview = await this.#api.get(`/badge-previews/${threshold}`);
      if (this.#threshold.value !== threshold || this.#changed !== badge) return; // another was chosen meanwhile
      this.#due = preview.due;
      this.#nameButton();
      fill(
        find("#reached"),
        preview.due === 0
          ? element("p", {}, text("making.reached-none"))
          : [
              element("p", {}, text("making.reached", { n: preview.due })),
              mentorsDue(preview),
              element("p", { class: "quiet" }, text("making.stays")),
            ],
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#settle(error)) fill(find("#reached"), element("p", { class: "fault" }, error.message));
    }
  }

  #nameButton() {
    const making = this.#due === 0 ? text("making.make") : text("making.make-award", { n: this.#due });
    find("#save").textContent = this.#changed === null ? making : text("making.save");
  }

  async #save() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    find("#save").setAttribute("aria-busy", "true"); // in a large organisation it takes seconds
    const name = this.#name.value.trim();
    const form = new FormData(/** @type {HTMLFormElement} */ (find("#badge")));
    const isNew = this.#changed === null;
    find("#fault").textContent = "";
    try {
      const path = `/badges/${this.#badgeId}`;
      const isOff = this.#changed !== null && this.#changed.offSince !== null;
      const threshold = Number(this.#threshold.value);
      await this.#api.put(path, { name, threshold, picture: form.get("picture"), isOff });
      const awarded = isNew ? (await this.#api.post(`${path}/back-fill`)).awarded : 0;
      announce(
        !isNew
          ? text("making.saved", { name })
          : awarded > 0
            ? text("making.made-awarded", { name, n: awarded })
            : text("making.made", { name }),
      );
      this.#begin();
      this.#name.focus({ preventScroll: true });
      await this.#saved();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#settle(error)) find("#fault").textContent = error.message;
    } finally {
      this.#isBusy = false;
      find("#save").removeAttribute("aria-busy");
    }
  }
}

/** @param {[string, string]} picture */
const choice = ([name, words]) =>
  element(
    "label",
    { title: words },
    element("input", { type: "radio", name: "picture", value: name, "aria-label": words, checked: name === "medal" }),
    element("span", { class: "picture" }, icon(name)),
  );

/** A UUID of version 4; `crypto.randomUUID` is there on secure pages alone. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
