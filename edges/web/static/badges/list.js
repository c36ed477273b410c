/** The badges of an organisation: what each is, who holds it, and what an administrator can do with his own. */

import { ApiError } from "../shared/api.js";
import { badgeName } from "../shared/badge-names.js";
import { announce, element, fill, icon, isolated } from "../shared/dom.js";
import { day, shortId } from "../shared/format.js";
import { parts, text } from "../shared/text.js";
import { mentorsDue } from "./due.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/answers.js").Badge} Badge
 * @typedef {import("../shared/answers.js").Badges} Badges
 * @typedef {import("../shared/answers.js").BadgePreview} BadgePreview
 */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class BadgeList {
  #api;
  #given;

  /**
   * @param {Api} api
   * @param {object} given
   * @param {(error: ApiError) => boolean} given.settle
   * @param {() => Promise<unknown>} given.changed
   * @param {((badge: Badge) => void) | null} given.change null: who looks may change nothing
   * @param {(badge: Badge, isOff: boolean) => Promise<void>} given.switchOff
   */
  constructor(api, given) {
    this.#api = api;
    this.#given = given;
  }

  /**
   * @param {HTMLElement} body
   * @param {Badges} answer
   */
  show(body, { badges }) {
    fill(
      body,
      element(
        "ul",
        { class: "badges", "aria-label": text("making.list") },
        badges.map((badge) => this.#line(badge)),
      ),
    );
  }

  /** @param {Badge} badge */
  #line(badge) {
    const about = element("div", { class: "about", role: "status" });
    const name = badgeName(badge.badgeName);
    return element(
      "li",
      { class: badge.offSince === null ? null : "off", "data-badge": badge.badgeId },
      element("span", { class: "picture" }, icon(badge.picture)),
      element("h3", {}, isolated(name)),
      element("div", { class: "quiet" }, described(badge)),
      element("div", { class: "acts" }, this.#whoButton(badge, name, about), this.#changing(badge, name, about)),
      about,
    );
  }

  /**
   * @param {Badge} badge
   * @param {string} name
   * @param {HTMLElement} about
   */
  #whoButton(badge, name, about) {
    return this.#button(text("making.who"), text("making.who-name", { name }), `${badge.badgeId} who`, about, async () => {
      const path = `/badge-previews/${badge.threshold}?badge=${badge.badgeId}`;
      this.#tell(about, badge, await this.#api.get(path));
    });
  }

  /**
   * What an administrator can do with a badge of his organisation's own.
   *
   * @param {Badge} badge
   * @param {string} name
   * @param {HTMLElement} about
   */
  #changing(badge, name, about) {
    const { change, switchOff } = this.#given;
    if (change === null || !badge.isOwn) return [];
    const isOff = badge.offSince !== null;
    return [
      this.#button(text("making.change"), text("making.change-name", { name }), `${badge.badgeId} change`, about, async () =>
        change(badge),
      ),
      this.#button(
        isOff ? text("making.switch-on") : text("making.switch-off"),
        isOff ? text("making.switch-on-name", { name }) : text("making.switch-off-name", { name }),
        `${badge.badgeId} switch`,
        about,
        () => switchOff(badge, !isOff),
      ),
    ];
  }

  /**
   * Say who holds a badge, and who has reached it and does not, with a way to award it to them.
   *
   * @param {HTMLElement} about
   * @param {Badge} badge
   * @param {BadgePreview} preview
   */
  #tell(about, badge, preview) {
    const mayAward = this.#given.change !== null && badge.offSince === null && badge.comesAt === badge.threshold;
    fill(
      about,
      element("p", {}, text("making.held", { n: preview.held })),
      preview.due === 0
        ? element("p", {}, text("making.due-none"))
        : [
            element("p", {}, text("making.due", { n: preview.due })),
            mentorsDue(preview),
            mayAward &&
              this.#button(text("making.award", { n: preview.due }), null, `${badge.badgeId} who`, about, async () => {
                const { awarded } = await this.#api.post(`/badges/${badge.badgeId}/back-fill`);
                announce(text("making.awarded", { n: awarded }));
                await this.#given.changed();
              }),
          ],
    );
  }

  /**
   * A button that does something once at a time, and says in its badge's place what went wrong. It is not disabled
   * meanwhile, so that it keeps the focus.
   *
   * @param {string} words
   * @param {string | null} label for those who do not see which badge it stands beside
   * @param {string} place what stands in its place afterwards has the same, and the focus
   * @param {HTMLElement} about
   * @param {() => Promise<unknown>} act
   */
  #button(words, label, place, about, act) {
    let isBusy = false;
    const press = async () => {
      if (isBusy) return;
      isBusy = true;
      button.setAttribute("aria-busy", "true");
      try {
        await act();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!this.#given.settle(error)) fill(about, element("p", { class: "fault" }, error.message));
      } finally {
        isBusy = false;
        button.removeAttribute("aria-busy");
      }
    };
    const attributes = { class: "button", "aria-label": label, "data-about": place, onclick: () => void press() };
    const button = element("button", { type: "button", ...attributes }, words);
    return button;
  }
}

/** Who made a badge: a provider's own name for him, or the beginning of his id, the whole where somebody points at it. @param {string} subject */
const maker = (subject) =>
  UUID.test(subject) ? element("span", { class: "id", title: subject }, shortId(subject)) : isolated(subject);

/** What there is to know of a badge, a line each. @param {Badge} badge */
function described(badge) {
  const { threshold, isOwn, offSince, comesAt, madeBy, madeAt, backFilledAt, backFilled } = badge;
  const own = [text("making.at", { n: threshold }), !isOwn && text("making.everybodys")].filter(Boolean).join(", ");
  return [
    element("p", {}, own),
    offSince !== null && element("p", { class: "warning" }, text("making.off", { day: day(offSince) })),
    offSince === null && comesAt === null && element("p", { class: "warning" }, text("making.never")),
    offSince === null &&
      comesAt !== null &&
      comesAt !== threshold &&
      element("p", { class: "warning" }, text("making.comes-at", { n: comesAt })),
    madeBy !== null &&
      madeAt !== null &&
      element("p", {}, parts("making.by", { who: maker(madeBy), day: day(madeAt) })),
    backFilledAt !== null &&
      backFilled > 0 &&
      element("p", {}, text("making.filled", { n: backFilled, day: day(backFilledAt) })),
  ];
}
