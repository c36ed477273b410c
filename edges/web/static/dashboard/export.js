/** Saves the organisation's mentors with their counts as a CSV file. */

import { ApiError } from "../shared/api.js";
import { announce, fill, find, icon } from "../shared/dom.js";
import { save } from "../shared/saving.js";
import { text } from "../shared/text.js";

/**
 * @param {import("../shared/api.js").Api} api
 * @param {(error: ApiError) => boolean} settle
 */
export async function saveExport(api, settle) {
  const button = /** @type {HTMLButtonElement} */ (find("#export"));
  const say = (/** @type {string} */ words) => fill(button, icon("download"), words);
  button.disabled = true;
  say(text("export.running"));
  try {
    save(await api.file("/export.csv"), `referrals-${new Date().toISOString().slice(0, 10)}.csv`);
    say(text("export.button"));
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
