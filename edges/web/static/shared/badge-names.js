/** The badges that every organisation begins with, in the page's language; a badge that somebody named is called as he named it. */

import { text } from "./text.js";

/** @type {Record<string, string>} as sinks/migrations/0002_recruitment_badges.sql names them */
const SEEDED = {
  "First recruit": text("badge.first"),
  "Five recruits": text("badge.five"),
  "Ten recruits": text("badge.ten"),
  "Twenty-five recruits": text("badge.twenty-five"),
};

/** @param {string} name */
export const badgeName = (name) => SEEDED[name] ?? name;
