/** Narrows lists to one group or region, in organisations that have imported any. */

import { ApiError } from "../shared/api.js";
import { element, fill, find } from "../shared/dom.js";
import { text } from "../shared/text.js";

/** @param {import("../shared/api.js").Api} api */
export async function offerGroups(api) {
  let groups;
  try {
    ({ groups } = await api.get("/groups"));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return; // every list is there without
  }
  if (groups.length === 0) return;
  for (const pick of document.querySelectorAll("select[data-groups]")) {
    const chosen = /** @type {HTMLSelectElement} */ (pick).value;
    fill(
      pick,
      element("option", { value: "" }, text("groups.all")),
      groups.map((/** @type {string} */ group) => element("option", { value: group }, group)),
    );
    /** @type {HTMLSelectElement} */ (pick).value = chosen;
    /** @type {HTMLElement} */ (pick).hidden = false;
  }
}

/**
 * A list's choice of a group.
 *
 * @param {string} selector
 * @param {() => void} changed
 */
export function groupPick(selector, changed) {
  const pick = /** @type {HTMLSelectElement} */ (find(selector));
  pick.addEventListener("change", changed);
  /** What the address of the list ends in. */
  return () => (pick.value ? `&group=${encodeURIComponent(pick.value)}` : "");
}
