/**
 * The panel where somebody says whether, and at which address, he wants to be told by mail: a coordinator of the week, a
 * mentor of his badges. It is not there where the installation sends no mail.
 */

import { ApiError } from "./api.js";
import { announce, element, fill, find } from "./dom.js";
import { dateAndTime } from "./format.js";
import { Panel } from "./panel.js";
import { text } from "./text.js";

/**
 * @typedef {import("./api.js").Api} Api
 * @typedef {import("./answers.js").MailWish} Wish
 */

/** What is at fault with an address, for people. @type {Record<number, string>} */
const FAULTS = { 422: text("mail-panel.bad"), 429: text("mail-panel.often") };

export class MailPanel {
  #api;
  #settle;
  #isAsking = false;

  /**
   * @param {Api} api
   * @param {(error: ApiError) => boolean} settle
   */
  constructor(api, settle) {
    this.#api = api;
    this.#settle = settle;
    /** @type {Panel<Wish>} */
    this.#panel = new Panel("#mail", {
      load: () => api.get("/mail"),
      show: (body, wish) => this.#show(body, wish),
      settle,
    });
  }
  #panel;

  load() {
    return this.#panel.load();
  }

  /**
   * @param {HTMLElement} body
   * @param {Wish} wish
   */
  #show(body, wish) {
    this.#panel.root.hidden = !wish.isSent && wish.address === null;
    const isOpen = this.#isAsking || wish.address === null || wish.refusedAt !== null;
    fill(
      body,
      element("p", {}, this.#said(wish)),
      isOpen ? wish.isSent && this.#form(wish) : this.#buttons(body, wish),
    );
  }

  /** @param {Wish} wish */
  #said({ topic, address, confirmedAt, refusedAt, askedAt }) {
    const isSummary = topic === "summary";
    if (address === null) return isSummary ? text("mail-panel.summary") : text("mail-panel.badges");
    if (refusedAt !== null) return text("mail-panel.refused", { address });
    if (confirmedAt === null) return text("mail-panel.asked", { address, when: dateAndTime(askedAt ?? "") });
    return isSummary ? text("mail-panel.told-summary", { address }) : text("mail-panel.told-badges", { address });
  }

  /** @param {Wish} wish */
  #form({ address }) {
    const field = element("input", {
      id: "mail-address",
      type: "email",
      name: "email",
      autocomplete: "email",
      maxlength: 254,
      required: true,
      "aria-describedby": "mail-kept",
    });
    if (address !== null) field.value = address;
    const fault = element("p", { id: "mail-fault", class: "fault", role: "alert" });
    const button = element("button", { class: "button" }, text("mail-panel.send"));
    return element(
      "form",
      {
        class: "mail-form",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          void this.#ask(field.value, button, fault);
        },
      },
      element("label", { for: "mail-address" }, text("mail-panel.address")),
      element("div", { class: "mail-field" }, field, button),
      fault,
      element("p", { id: "mail-kept", class: "quiet" }, text("mail-panel.kept")),
    );
  }

  /**
   * @param {HTMLElement} body
   * @param {Wish} wish
   */
  #buttons(body, wish) {
    const another = () => {
      this.#isAsking = true;
      this.#show(body, wish);
      find("#mail-address").focus();
    };
    const fault = element("p", { class: "fault", role: "alert" });
    return element(
      "div",
      { class: "mail-buttons" },
      element("button", { type: "button", class: "button", onclick: another }, text("mail-panel.another")),
      element(
        "button",
        { type: "button", class: "button", onclick: (/** @type {Event} */ event) => void this.#end(event, fault) },
        text("mail-panel.end"),
      ),
      fault,
    );
  }

  /**
   * @param {string} address
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} fault
   */
  async #ask(address, button, fault) {
    await this.#do(button, fault, async () => {
      const wish = await this.#api.put("/mail", { address, language: document.documentElement.lang });
      this.#isAsking = false;
      announce(this.#said(wish));
      return wish;
    });
  }

  /**
   * @param {Event} event
   * @param {HTMLElement} fault
   */
  async #end(event, fault) {
    await this.#do(/** @type {HTMLButtonElement} */ (event.currentTarget), fault, async () => {
      const wish = await this.#api.delete("/mail");
      announce(text("mail-panel.ended"));
      return wish;
    });
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} fault
   * @param {() => Promise<Wish>} act
   */
  async #do(button, fault, act) {
    button.disabled = true;
    fault.textContent = "";
    try {
      this.#panel.show(await act());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!(error.status in FAULTS) && this.#settle(error)) return;
      fault.textContent = FAULTS[error.status] ?? error.message;
    }
    button.disabled = false;
  }
}
