/** A mentor's page: his link, what came of it, his badges. A coordinator sees the same of any mentor, `/me#mentor=ID`. */

import { Api, ApiError } from "../shared/api.js";
import { copyButton } from "../shared/copying.js";
import { element, fill, find, isolated } from "../shared/dom.js";
import { shortId } from "../shared/format.js";
import { keepAddress } from "../shared/languages.js";
import { MailPanel } from "../shared/mail.js";
import { mentorCalled } from "../shared/mentors.js";
import { Panel } from "../shared/panel.js";
import { currentSession, shareSession } from "../shared/session.js";
import { askAgain, askForToken, leaveSession } from "../shared/signing-in.js";
import { text } from "../shared/text.js";
import { showBadges } from "./badges.js";
import { Connection } from "./connection.js";
import { showCounts } from "./counts.js";
import { showShare } from "./share.js";
import { showStanding } from "./standing.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/answers.js").Mentor} Mentor
 */

const REFRESH_MS = 8_000; // what has not changed is answered in a few bytes
const RETRY_MS = 3_000;
const REFUSALS = [401, 403, 404, 422];

class MentorPage {
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {Session} session
   * @param {string} mentorId
   */
  constructor(session, mentorId) {
    const api = new Api(session);
    const mentor = `/mentors/${encodeURIComponent(mentorId)}`;
    const settle = (/** @type {ApiError} */ error) => this.#settle(session, error);
    this.session = session;
    this.isOwn = session.role === "mentor";
    this.mentorId = mentorId;
    this.share = new Panel("#share", {
      load: () => api.get(mentor),
      show: (body, answer) => {
        showShare(body, answer, api);
        this.#call(answer);
      },
      settle,
    });
    this.counts = new Panel("#counts", {
      load: () => api.get(`${mentor}/attribution-counts`),
      show: showCounts,
      settle,
    });
    this.badges = new Panel("#badges", { load: () => loadBadges(api, mentor, this.isOwn), show: showBadges, settle });
    this.standing = new Panel("#standing", { load: () => api.get(`${mentor}/standing`), show: showStanding, settle });
    this.mail = new MailPanel(api, settle);
    this.connection = new Connection(() => void this.#refresh());
  }

  start() {
    find("#back").hidden = this.isOwn;
    find("#standing").hidden = this.isOwn;
    const title = this.isOwn ? text("me.title") : text("mentors.name", { id: shortId(this.mentorId) });
    find("#title").textContent = title;
    document.title = text("title", { title });
    fill(
      find("#whose"),
      element("span", { class: "id wide" }, this.mentorId),
      element("span", { class: "id narrow", title: this.mentorId, "aria-hidden": "true" }, shortId(this.mentorId)),
      copyButton(this.mentorId, text("copy.mentor-id")),
    );
    const left = () => void askForToken("signed-out");
    find("#sign-out").addEventListener("click", () => void leaveSession(left));
    shareSession(this.session, left);
    document.addEventListener("visibilitychange", () => void this.#refresh());
    addEventListener("online", () => void this.#refresh());
    addEventListener("offline", () => this.connection.lose(""));
    void this.#refresh();
    if (this.isOwn) void this.mail.load(); // whoever else looks is told of himself on his own page
  }

  /** Call him what the dashboard does; a coordinator's page alone has his name. @param {Mentor} mentor */
  #call(mentor) {
    if (this.isOwn) return;
    const { group } = mentor;
    const title = mentorCalled(mentor);
    fill(find("#title"), isolated(title), group && [" ", element("span", { class: "quiet" }, isolated(group))]);
    document.title = text("title", { title });
  }

  /** Load what changes, and what has not come yet; again after a while, sooner where the server does not answer. */
  async #refresh() {
    clearTimeout(this.#timer);
    const isLooked = !document.hidden && document.body.dataset.state === undefined;
    if (isLooked) {
      const panels = [
        this.counts,
        this.badges,
        ...(this.isOwn ? [] : [this.standing]),
        ...(this.share.isShown ? [] : [this.share]),
      ];
      const faults = await Promise.all(panels.map((panel) => panel.load()));
      const fault = faults.find((fault) => fault !== null && !REFUSALS.includes(fault.status));
      if (fault && panels.some((panel) => panel.isShown)) this.connection.lose(fault.message);
      else this.connection.restore();
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), this.connection.isLost ? RETRY_MS : REFRESH_MS);
  }

  /**
   * Deal with an error that concerns the whole page.
   *
   * @param {Session} session
   * @param {ApiError} error
   */
  #settle(session, error) {
    if (error.status === 401 || error.status === 403) void askAgain(session, error.status);
    else if (error.status === 404 || error.status === 422) showNobody();
    else return false;
    return true;
  }
}

/**
 * @param {Api} api
 * @param {string} mentor
 * @param {boolean} isOwn
 */
async function loadBadges(api, mentor, isOwn) {
  const [{ nextBadge }, { awards, canBeTakenAlong }, { milestones }] = await Promise.all([
    api.get(mentor),
    api.get(`${mentor}/awards`),
    api.get(`${mentor}/milestones`),
  ]);
  /** @param {import("../shared/answers.js").Award} award */
  const takeAlong = ({ badgeId }) => api.file(`${mentor}/awards/${badgeId}/credential`);
  /** @param {import("../shared/answers.js").Award} award */
  const explain = ({ badgeId }) => api.get(`${mentor}/awards/${badgeId}/evidence`);
  return { nextBadge, awards, milestones, takeAlong: canBeTakenAlong ? takeAlong : null, explain: isOwn ? null : explain };
}

function showNobody() {
  document.body.dataset.state = "failed";
  const place = find("#failure");
  place.hidden = false;
  fill(
    place,
    element("h1", {}, text("me.nobody")),
    element("p", {}, text("me.nobody-text")),
    element("p", {}, element("a", { href: "/dashboard" }, text("me.to-dashboard"))),
  );
}

async function open() {
  const session = await currentSession();
  const asked = new URLSearchParams(location.hash.slice(1)).get("mentor");
  if (session === null) await askForToken("signed-out");
  else if (session.role === "mentor") new MentorPage(session, session.subject).start();
  else if (asked === null) location.replace("/dashboard");
  else new MentorPage(session, asked).start();
}

addEventListener("hashchange", () => location.reload()); // another mentor in the same tab
keepAddress();
await open();
dispatchEvent(new Event("opened"));
