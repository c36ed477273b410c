/** Numbers and times as the reader writes them in the page's language. Days are dates without a time; UTC only keeps them what they are. */

import { language, locale, text } from "./text.js";

const whole = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(locale, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const change = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const hours = new Intl.NumberFormat(locale, { style: "unit", unit: "hour", unitDisplay: "long" });
const wholeDays = new Intl.NumberFormat(locale, { style: "unit", unit: "day", unitDisplay: "long" });
const range = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const someDay = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
const dayAndMonth = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
const wholeDay = new Intl.DateTimeFormat(locale, {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});
const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });

/** @type {[Intl.RelativeTimeFormatUnit, number][]} the largest first, in seconds */
const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** @param {number} value */
export const number = (value) => whole.format(value);

/** @param {number} value */
export const shortNumber = (value) => short.format(value);

/** @param {number} value 0 to 1 */
export const percent = (value) => share.format(value);

/** By how much something is more or less than before. @param {number} part 0.5: half as much again */
export const percentChange = (part) => change.format(part);

/** A time that was told in whole hours, from three days on in whole days. @param {number} value hours */
export const timeWaited = (value) => (value < 72 ? hours.format(value) : wholeDays.format(value / 24));

/** Days from one to another, both included. @param {string} from YYYY-MM-DD @param {string} to */
export const days = (from, to) => range.formatRange(new Date(from), new Date(to));

/** @param {string | Date} when */
export const dateAndTime = (when) => moment.format(new Date(when));

/** A day of the reader's calendar. @param {string} when */
export const day = (when) => someDay.format(new Date(when));

/** A time of today without its date. @param {string | Date} when */
export function timeOrDate(when) {
  const then = new Date(when);
  return (then.toDateString() === new Date().toDateString() ? clock : moment).format(then);
}

/** A day and its month, which no line parts. @param {string} day YYYY-MM-DD */
export const shortDay = (day) => dayAndMonth.format(new Date(day)).replaceAll(" ", "\u00a0");

/** @param {string} day YYYY-MM-DD */
export const longDay = (day) => wholeDay.format(new Date(day));

/**
 * How long ago something was.
 *
 * @param {string | Date} when
 * @param {Date} now
 */
export function since(when, now) {
  const seconds = Math.round((new Date(when).getTime() - now.getTime()) / 1_000);
  if (seconds > -5) return text("since.now"); // two clocks never quite agree
  for (const [unit, size] of UNITS) {
    if (-seconds >= size) return ago.format(Math.trunc(seconds / size), unit);
  }
  return ago.format(seconds, "second");
}

/** A pseudonym that people can tell apart; the whole one is a click away. @param {string} id */
export const shortId = (id) => `${id.slice(0, 4)}…${id.slice(-4)}`;
