/** The sums of the organisation: from click to member, and what stands beside it. */

import { find } from "../shared/dom.js";
import { dateAndTime, number, percent, shortId, since, timeOrDate } from "../shared/format.js";
import { text } from "../shared/text.js";

/** @typedef {import("../shared/answers.js").Summary} Summary */

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
    const { totalClicks, pendingAttributions, confirmedAttributions } = summary;
    this.#write("clicks", number(totalClicks));
    this.#write("pending", number(pendingAttributions));
    this.#write("confirmed", number(confirmedAttributions));
    this.#write("conversion", percent(summary.conversionRate));
    this.#write("mentors", number(summary.mentors));
    this.#write("active", number(summary.activeMentors));
    this.#write("milestones", number(summary.milestones));
    this.#write("awards", number(summary.awards));
    this.#write("filtered", number(summary.filteredClicks));

    const most = Math.max(totalClicks, pendingAttributions, confirmedAttributions, 1);
    this.#bar("clicks", totalClicks / most);
    this.#bar("pending", pendingAttributions / most);
    this.#bar("confirmed", confirmedAttributions / most);
    find('[data-rate="clicks"]', this.#root).textContent =
      summary.activeMentors > 0
        ? text("funnel.per-mentor", { n: Math.round(totalClicks / summary.activeMentors) })
        : text("funnel.none");
    find('[data-rate="pending"]', this.#root).textContent = text("funnel.pending");
    find('[data-rate="confirmed"]', this.#root).textContent =
      confirmedAttributions + pendingAttributions > 0
        ? text("funnel.confirmed", {
            percent: percent(confirmedAttributions / (confirmedAttributions + pendingAttributions)),
          })
        : text("funnel.none");

    const title = summary.name ?? text("dashboard.organisation", { id: shortId(summary.orgId) });
    find("#organisation").textContent = title;
    document.title = text("title", { title });
    this.#root.removeAttribute("aria-busy");
    this.#shown = summary;
    this.tick();
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
    place.textContent = figure;
    if (this.#shown === null) return;
    place.classList.remove("changed");
    void place.offsetWidth; // begins the animation again
    place.classList.add("changed");
  }

  /**
   * @param {string} step
   * @param {number} part 0 to 1
   */
  #bar(step, part) {
    find(`[data-step="${step}"]`, this.#root).style.setProperty("--part", String(part));
  }
}
