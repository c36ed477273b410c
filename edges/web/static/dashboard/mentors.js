/** How a mentor is named: the page about him, by his name, his code or the beginning of his pseudonym, the whole to copy. */

import { copyButton } from "../shared/copying.js";
import { element, isolated } from "../shared/dom.js";
import { shortId } from "../shared/format.js";
import { text } from "../shared/text.js";

/** The address of the page about a mentor. @param {string} mentorId */
export const mentorPage = (mentorId) => `/me#mentor=${encodeURIComponent(mentorId)}`;

/**
 * @param {string} mentorId
 * @param {string | null} [code] his referral code, where it is known
 * @param {string | null} [name] what his organisation calls him, where it does
 * @param {string | null} [group]
 */
export function mentorName(mentorId, code, name, group) {
  const beside = name ? code : code && shortId(mentorId);
  return element(
    "span",
    { class: "mentor" },
    element(
      "span",
      { class: "who" },
      element(
        "a",
        {
          href: mentorPage(mentorId),
          title: mentorId,
          class: name ? "called" : "id",
          "aria-label": name ? null : pseudonym(mentorId, code),
        },
        name ? isolated(name) : (code ?? shortId(mentorId)),
      ),
      group && element("span", { class: "quiet" }, isolated(group)),
      beside && element("span", { class: "id quiet beside", title: mentorId, "aria-hidden": "true" }, beside),
    ),
    copyButton(mentorId, text("copy.mentor-id-of", { id: shortId(mentorId) })),
  );
}

/**
 * @param {string} mentorId
 * @param {string | null} [code]
 */
const pseudonym = (mentorId, code) =>
  code
    ? text("mentors.name-code", { id: shortId(mentorId), code })
    : text("mentors.name", { id: shortId(mentorId) });
