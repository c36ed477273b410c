/** Saves the organisation's mentors with their counts as a CSV file. */

import { ApiError } from "../shared/api.js";
import { announce, fill, find, icon } from "../shared/dom.js";
import { save } from "../shared/saving.js";

/**
 * @param {import("../shared/api.js").Api} api
 * @param {(error: ApiError) => boolean} settle
 */
export async function saveExport(api, settle) {
  const button = /** @type {HTMLButtonElement} */ (find("#export"));
  const say = (/** @type {string} */ text) => fill(button, icon("download"), text);
  button.disabled = true;
  say("Exporting…");
  try {
    save(await api.file("/export.csv"), `referrals-${new Date().toISOString().slice(0, 10)}.csv`);
    say("Export CSV");
    announce("The export is saved.");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (settle(error)) return;
    say("Export failed, try again");
    announce(`The export failed. ${error.message}`);
  } finally {
    button.disabled = false;
  }
}
