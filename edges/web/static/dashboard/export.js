/** Saves the organisation's mentors with their counts, or the days of the period, as a CSV file. */

import { ApiError } from "../shared/api.js";
import { announce, fill, find, icon } from "../shared/dom.js";
import { save } from "../shared/saving.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {(error: ApiError) => boolean} Settle
 */

/** @param {Api} api @param {Settle} settle */
export const saveMentors = (api, settle) =>
  saveFile(api, settle, { selector: "#export", path: "/export.csv", name: "referrals", button: text("export.button") });

/** @param {Api} api @param {string} query the period @param {Settle} settle */
export const saveDays = (api, query, settle) =>
  saveFile(api, settle, {
    selector: "#export-days",
    path: `/history.csv?${query}`,
    name: "referrals-days",
    button: text("daily.export"),
  });

/**
 * @param {Api} api
 * @param {Settle} settle
 * @param {{selector: string, path: string, name: string, button: string}} what
 */
async function saveFile(api, settle, { selector, path, name, button: called }) {
  const button = /** @type {HTMLButtonElement} */ (find(selector));
  const say = (/** @type {string} */ words) => fill(button, icon("download"), words);
  button.disabled = true;
  say(text("export.running"));
  try {
    save(await api.file(path), `${name}-${new Date().toISOString().slice(0, 10)}.csv`);
    say(called);
    announce(text("export.saved"));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (settle(error)) return;
    say(text("export.failed"));
    announce(text("export.failed-why", { why: error.message }));
  } finally {
    button.disabled = false;
  }
}
