/** `/badges`: the badges that mentors can earn; an administrator makes, changes and switches his organisation's own. */

import { Api, ApiError } from "../shared/api.js";
import { announce, find } from "../shared/dom.js";
import { keepAddress } from "../shared/languages.js";
import { Panel } from "../shared/panel.js";
import { currentSession, shareSession } from "../shared/session.js";
import { askForToken, leaveSession, refused } from "../shared/signing-in.js";
import { text } from "../shared/text.js";
import { BadgeList } from "./list.js";
import { Maker } from "./maker.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/answers.js").Badge} Badge
 * @typedef {import("../shared/answers.js").Badges} Badges
 */

class BadgePage {
  /** @param {Session} session */
  constructor(session) {
    const api = new Api(session);
    this.session = session;
    this.api = api;
    const mayChange = session.role === "org_admin";
    const load = () => this.list.load();
    this.maker = new Maker(api, { settle: (error) => this.settle(error), saved: load });
    this.badges = new BadgeList(api, {
      settle: (error) => this.settle(error),
      changed: load,
      change: mayChange ? (badge) => this.maker.change(badge) : null,
      switchOff: (badge, isOff) => this.#switch(badge, isOff),
    });
    /** @type {Panel<Badges>} */
    this.list = new Panel("#list", {
      load: () => api.get("/badges"),
      show: (body, answer) => {
        this.badges.show(body, answer);
        if (mayChange) this.maker.offer(answer.thresholds);
      },
      settle: (error) => this.settle(error),
    });
    find("#administrators").hidden = mayChange;
  }

  start() {
    const left = () => void askForToken("signed-out");
    find("#sign-out").addEventListener("click", () => void leaveSession(left));
    shareSession(this.session, left);
    void this.list.load();
  }

  /**
   * @param {Badge} badge
   * @param {boolean} isOff
   */
  async #switch({ badgeId, badgeName, threshold, picture }, isOff) {
    await this.api.put(`/badges/${badgeId}`, { name: badgeName, threshold, picture, isOff });
    announce(isOff ? text("making.switched-off", { name: badgeName }) : text("making.switched-on", { name: badgeName }));
    await this.list.load();
  }

  /** Deal with an error that concerns the whole page. @param {ApiError} error */
  settle(error) {
    return refused(this.session, error);
  }
}

keepAddress();
const session = await currentSession();
if (session === null) await askForToken("signed-out");
else if (session.role === "mentor") location.replace("/me");
else new BadgePage(session).start();
dispatchEvent(new Event("opened"));
