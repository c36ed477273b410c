/**
 * What has happened since somebody's last visit. The browser keeps what there was then, for each organisation: the
 * server knows of no visits. A page that is loaded again within half an hour is the same visit.
 */

import { find } from "../shared/dom.js";
import { dateAndTime } from "../shared/format.js";
import { text } from "../shared/text.js";

/** @typedef {import("../shared/answers.js").Summary} Summary */
/** @typedef {{clicks: number, registered: number, confirmed: number, withdrawn: number, awards: number}} There */
/** @typedef {{seen: string, there: There, before: {seen: string, there: There} | null}} Visit */

const SAME_VISIT_MS = 30 * 60_000;

export class LastVisit {
  #place = find("#visit");
  /** The visit before this one; null: this browser knows of none. @type {{seen: string, there: There} | null} */
  #before = null;
  #isRead = false;

  /** @param {Summary} summary */
  show({ orgId, happened, awards }) {
    const key = `referrals.visit.${orgId}`;
    const there = { ...happened, awards };
    if (!this.#isRead) {
      this.#before = read(key);
      this.#isRead = true;
    }
    keep(key, { seen: new Date().toISOString(), there, before: this.#before });
    this.#place.textContent = this.#before === null ? text("visit.unknown") : said(this.#before, there);
  }
}

/**
 * @param {{seen: string, there: There}} before
 * @param {There} now
 */
function said({ seen, there }, now) {
  const names = /** @type {(keyof There)[]} */ (["clicks", "registered", "confirmed", "withdrawn", "awards"]);
  const changes = Object.fromEntries(names.map((name) => [name, now[name] - there[name]]));
  const when = dateAndTime(seen);
  if (Object.values(changes).every((change) => change === 0)) return text("visit.nothing", { when });
  return text("visit.since", { when, ...changes });
}

/** @param {string} key @returns {{seen: string, there: There} | null} */
function read(key) {
  try {
    /** @type {Visit | null} */
    const kept = JSON.parse(localStorage.getItem(key) ?? "null");
    if (kept === null || !Number.isFinite(kept.there.clicks)) return null;
    const isSameVisit = Date.now() - new Date(kept.seen).getTime() < SAME_VISIT_MS;
    return isSameVisit ? kept.before : { seen: kept.seen, there: kept.there };
  } catch {
    return null; // nothing may be kept here, or something else was: then it is not known
  }
}

/** @param {string} key @param {Visit} visit */
function keep(key, visit) {
  try {
    localStorage.setItem(key, JSON.stringify(visit));
  } catch {
    // a browser that keeps nothing says at the next visit that it knows of none
  }
}
