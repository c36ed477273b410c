/** What happened in the period, from click to member, beside the one before; and what there is in all. */

import { find } from "../shared/dom.js";
import { dateAndTime, number, percent, percentChange, shortId, since, timeOrDate, timeWaited } from "../shared/format.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").Summary} Summary
 * @typedef {import("../shared/answers.js").History} History
 * @typedef {import("../shared/answers.js").ConfirmationTime} ConfirmationTime
 */

/** From more than so many times as much on no percentage says more than the figure before. */
const TELLING = 10;

/** @type {("clicks" | "registered" | "confirmed" | "withdrawn")[]} */
const STEPS = ["clicks", "registered", "confirmed", "withdrawn"];

export class Figures {
  /** @type {Summary | null} */
  #shown = null;
  #root = find("#funnel");
  #updated = find("#updated");

  /** Whether there is anything to see yet. */
  get areShown() {
    return this.#shown !== null;
  }

  /** @param {Summary} summary */
  show(summary) {
    this.#write("pending", number(summary.pendingAttributions));
    this.#write("members", number(summary.confirmedAttributions));
    this.#write("conversion", percent(summary.conversionRate));
    this.#write("mentors", number(summary.mentors));
    this.#write("active", number(summary.activeMentors));
    this.#write("milestones", number(summary.milestones));
    this.#write("awards", number(summary.awards));
    this.#write("filtered", number(summary.filteredClicks));

    const title = summary.name ?? text("dashboard.organisation", { id: shortId(summary.orgId) });
    find("#organisation").textContent = title;
    document.title = text("title", { title });
    this.#shown = summary;
    this.tick();
  }

  /** @param {History} history */
  showPeriod({ period, before }) {
    const most = Math.max(...STEPS.map((step) => period[step]), 1);
    for (const step of STEPS) {
      this.#write(step, number(period[step]));
      this.#bar(step, period[step] / most);
      this.#beside(step, comparison(period[step], before[step]));
    }
    const { medianHours, p90Hours } = period.confirmationTime;
    this.#write("time", medianHours === null ? "–" : timeWaited(medianHours));
    this.#beside("time", waited(p90Hours, before.confirmationTime));
    this.#root.removeAttribute("aria-busy");
  }

  /** Nothing comes of a period that cannot be shown: what waits for it says so, and does not go on waiting. */
  showNoPeriod() {
    for (const name of [...STEPS, "time"]) {
      this.#write(name, "–");
      this.#beside(name, "\u00a0");
    }
    for (const step of STEPS) this.#bar(step, 0);
    this.#root.removeAttribute("aria-busy");
  }

  /** Say again how long ago the figures changed. */
  tick() {
    const at = this.#shown?.updatedAt;
    if (at) {
      this.#updated.textContent = `${timeOrDate(at)} (${since(at, new Date())})`;
      this.#updated.setAttribute("datetime", at);
      this.#updated.title = dateAndTime(at);
    }
    find("#freshness").hidden = this.#shown !== null && !at;
  }

  /** Tell whether an answer says what is shown already. @param {Summary} summary */
  shows(summary) {
    return JSON.stringify(summary) === JSON.stringify(this.#shown);
  }

  /**
   * @param {string} name
   * @param {string} figure
   */
  #write(name, figure) {
    const place = find(`[data-figure="${name}"]`, this.#root);
    if (place.textContent === figure) return;
    const isFirst = place.textContent === "–" || place.querySelector(".bone") !== null;
    place.textContent = figure;
    if (isFirst) return;
    place.classList.remove("changed");
    void place.offsetWidth; // begins the animation again
    place.classList.add("changed");
  }

  /**
   * @param {string} step
   * @param {string} words
   */
  #beside(step, words) {
    find(`[data-rate="${step}"]`, this.#root).textContent = words;
  }

  /**
   * @param {string} step
   * @param {number} part 0 to 1
   */
  #bar(step, part) {
    find(`[data-step="${step}"]`, this.#root).style.setProperty("--part", String(part));
  }
}

/** What there was before, and by how much that has changed. @param {number} now @param {number} before */
function comparison(now, before) {
  if (before === 0) return text("funnel.none-before");
  if (now > before * TELLING) return text("funnel.before", { before });
  return text("funnel.change", { change: percentChange((now - before) / before), before });
}

/** @param {number | null} p90Hours @param {ConfirmationTime} before */
function waited(p90Hours, { medianHours }) {
  if (p90Hours === null) return text("funnel.not-measured");
  const nine = text("funnel.p90", { time: timeWaited(p90Hours) });
  return medianHours === null ? nine : text("funnel.p90-before", { nine, before: timeWaited(medianHours) });
}
