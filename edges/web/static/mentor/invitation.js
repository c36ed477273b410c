/**
 * A mentor's own words of invitation, which go along with his link. They are kept in this browser and nowhere else: what
 * somebody writes to his friends is no business of the server's.
 */

import { element } from "../shared/dom.js";
import { text } from "../shared/text.js";

const KEY = "referrals.invitation.";
const LENGTH_MAX = 500; // more than a text message takes, and less than an address may have

/** What goes along: his own words, or ours. @param {string} mentorId */
export const invitationOf = (mentorId) => localStorage.getItem(KEY + mentorId) ?? text("share.invitation");

/**
 * The field to write them in; `changed` is told with each letter.
 *
 * @param {string} mentorId
 * @param {() => void} changed
 */
export function invitationField(mentorId, changed) {
  const field = element("textarea", {
    id: "words",
    rows: 2,
    maxlength: LENGTH_MAX,
    "aria-describedby": "words-kept",
    oninput: () => {
      const words = field.value.trim();
      if (words === "" || words === text("share.invitation")) localStorage.removeItem(KEY + mentorId);
      else localStorage.setItem(KEY + mentorId, words);
      changed();
    },
  });
  field.value = invitationOf(mentorId);
  return [
    element("label", { for: "words" }, text("share.words")),
    field,
    element("p", { id: "words-kept", class: "quiet" }, text("share.words-kept")),
  ];
}
