/** The coordinator's dashboard: loads its panels at once, and keeps them true while it is open. */

import { Api, ApiError } from "../shared/api.js";
import { find } from "../shared/dom.js";
import { EventStream } from "../shared/events.js";
import { keepAddress } from "../shared/languages.js";
import { MailPanel } from "../shared/mail.js";
import { Panel, showFailure } from "../shared/panel.js";
import { currentSession, shareSession } from "../shared/session.js";
import { askAgain, askForToken, leaveSession } from "../shared/signing-in.js";
import { text } from "../shared/text.js";
import { showChannels } from "./channels.js";
import { Connection } from "./connection.js";
import { DailyChart } from "./daily.js";
import { saveDays, saveMentors } from "./export.js";
import { Figures } from "./figures.js";
import { findMentor } from "./finder.js";
import { showFirstSteps } from "./first-steps.js";
import { offerGroups } from "./groups.js";
import { Help } from "./help.js";
import { Leaderboard } from "./leaderboard.js";
import { showMembership } from "./membership.js";
import { Period } from "./period.js";
import { showPipeline } from "./pipeline.js";
import { Reached, tick } from "./reached.js";
import { LastVisit } from "./visit.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/answers.js").Summary} Summary
 * @typedef {import("../shared/answers.js").History} History
 */

const REFRESH_PAUSE_MS = 2_000;
const POLL_MS = 15_000; // as long as there is no stream
const TICK_MS = 10_000;
const HIDDEN_MAX_MS = 10_000; // a page that nobody sees gives its connection back: a browser has six for a server
const LEEWAY_MS = 6_000; // a little more than the server grants
const TIMER_MAX_MS = 2 ** 31 - 1;

class Dashboard {
  #isRefreshing = false;
  #isStale = false;

  /** @param {Session} session */
  constructor(session) {
    const api = new Api(session);
    const settle = (/** @type {ApiError} */ error) => this.#settle(error);
    const chart = new DailyChart(() => void saveDays(api, this.period.query, settle));
    const visit = new LastVisit();
    this.session = session;
    this.api = api;
    this.figures = new Figures();
    this.visit = visit;
    this.period = new Period(() => void this.#loadHistory());
    this.daily = new Panel("#daily", {
      load: () => this.#history().catch((error) => this.#noHistory(error)),
      show: (body, history) => {
        this.period.show(history);
        this.figures.showPeriod(history);
        chart.show(body, history);
      },
      settle,
    });
    this.channels = new Panel("#channels", { load: () => this.#history(), show: showChannels, settle });
    this.leaderboard = new Leaderboard(api, settle);
    this.reached = new Reached(api, settle);
    this.help = new Help(api, settle);
    this.pipeline = new Panel("#pipeline", { load: () => api.get("/pipeline"), show: showPipeline, settle });
    this.membership = new Panel("#membership", {
      load: () => api.get("/reconciliation?limit=1"),
      show: showMembership,
      settle,
    });
    this.mail = new MailPanel(api, settle);
    this.connection = new Connection(() => this.stream.start());
    this.stream = new EventStream({
      url: `${api.organisation}/events`,
      onEvent: (event, data) => this.#onEvent(event, data),
      onState: (state) =>
        state.kind === "refused" ? this.#leave(() => void askAgain(session, state.status)) : this.connection.show(state),
    });
  }

  /** Listen to whoever uses the page, then open it. */
  start() {
    this.period.start();
    find("#export").addEventListener("click", () => void saveMentors(this.api, (error) => this.#settle(error)));
    find("#finder").addEventListener("submit", (event) => {
      event.preventDefault();
      void findMentor(this.api, (error) => this.#settle(error));
    });
    const left = () => this.#leave(() => void askForToken("signed-out"));
    find("#sign-out").addEventListener("click", () => void leaveSession(left));
    void offerGroups(this.api);
    find("#to-letters").hidden = this.session.role !== "org_admin";
    shareSession(this.session, left);
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    addEventListener("online", () => this.#isShown && this.stream.start());
    addEventListener(
      "offline",
      () => this.#isShown && this.connection.show({ kind: "waiting", status: 0, until: null }),
    );
    setInterval(() => this.#tick(), TICK_MS);
    setInterval(() => void this.#poll(), POLL_MS);
    setTimeout(
      () => void this.#loadSummary(),
      Math.min(this.session.expiresAt.getTime() - Date.now() + LEEWAY_MS, TIMER_MAX_MS),
    );
    void this.#open();
  }

  /** Load everything, then follow what changes. */
  async #open() {
    await Promise.all([this.#load(), this.mail.load()]);
    if (this.#isShown) this.stream.start();
  }

  /** Whether the page is there, and not a failure or a request for a token in its place. */
  get #isShown() {
    return this.figures.areShown && document.body.dataset.state === undefined;
  }

  async #load() {
    await Promise.all([this.#loadSummary(), this.#loadPanels()]);
  }

  async #loadSummary() {
    try {
      this.#showSummary(await this.api.get("/summary"));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#settle(error) && !this.figures.areShown) showFailure(error.message, () => void this.#open());
    }
  }

  /** @type {{query: string, answer: Promise<History>} | null} */
  #asked = null;

  /** What happened in the period; asked for once where several want it at once. @returns {Promise<History>} */
  #history() {
    const { query } = this.period;
    if (this.#asked?.query === query) return this.#asked.answer;
    const asked = { query, answer: this.#askHistory(query) };
    this.#asked = asked;
    void asked.answer.catch(() => null).finally(() => (this.#asked = this.#asked === asked ? null : this.#asked));
    return asked.answer;
  }

  /** @param {string} query @returns {Promise<History>} */
  async #askHistory(query) {
    try {
      const answer = await this.api.get(`/history?${query}`);
      // Another period was chosen meanwhile: what it has is shown, in whatever order the answers come.
      return query === this.period.query ? answer : await this.#history();
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) throw new ApiError(422, text("period.bad"));
      throw error;
    }
  }

  /** Without a period of which anything stands here, the figures above the days have nothing to wait for. @param {unknown} error @returns {never} */
  #noHistory(error) {
    if (!this.daily.isShown) this.figures.showNoPeriod();
    throw error;
  }

  async #loadHistory() {
    const faults = await Promise.all([this.daily.load(), this.channels.load()]);
    find("#period-fault").textContent = faults.find((fault) => fault !== null)?.message ?? "";
  }

  #loadPanels() {
    return Promise.all([this.daily, this.channels, this.leaderboard, this.reached, this.help, this.membership].map((panel) => panel.load()));
  }

  /** Bring the panels up to date; where more changes meanwhile, once more after a pause. */
  async #refresh() {
    this.#isStale = true;
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    while (this.#isStale && this.#isShown) {
      this.#isStale = false;
      await this.#loadPanels();
      await new Promise((resolve) => setTimeout(resolve, REFRESH_PAUSE_MS));
    }
    this.#isRefreshing = false;
  }

  async #poll() {
    if (this.connection.isOpen || document.hidden || !this.#isShown) return;
    await Promise.all([this.#load(), this.pipeline.load()]);
  }

  /** @param {Summary} summary */
  #showSummary(summary) {
    this.figures.show(summary);
    showFirstSteps(summary);
    this.visit.show(summary);
  }

  /**
   * @param {string} event
   * @param {any} data
   */
  #onEvent(event, data) {
    if (event === "pipeline") this.pipeline.show(data);
    if (event !== "changed" || this.figures.shows(data.summary)) return;
    this.#showSummary(data.summary);
    void this.#refresh();
  }

  /** Deal with an error that concerns the whole page. @param {ApiError} error */
  #settle(error) {
    if (![401, 403, 404].includes(error.status)) return false;
    this.#leave(() => void askAgain(this.session, error.status));
    return true;
  }

  /** @param {() => void} show what is shown in place of the figures */
  #leave(show) {
    this.stream.stop();
    this.connection.end();
    show();
  }

  #tick() {
    this.figures.tick();
    tick(this.reached.panel.body);
  }

  /** @type {number | undefined} */
  #hiding;

  #onVisibility() {
    clearTimeout(this.#hiding);
    if (document.hidden) this.#hiding = setTimeout(() => this.#rest(), HIDDEN_MAX_MS);
    else if (!this.connection.isOpen && this.#isShown) this.stream.start();
  }

  #rest() {
    this.stream.stop();
    this.connection.rest();
  }
}

keepAddress();
const session = await currentSession();
if (session === null) await askForToken("signed-out");
else if (session.role === "mentor") location.replace("/me");
else new Dashboard(session).start();
dispatchEvent(new Event("opened"));
