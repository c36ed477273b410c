/** How a mentor is named: the page about him, by his code or the beginning of his pseudonym, and the whole to copy. */

import { copyButton } from "../shared/copying.js";
import { element } from "../shared/dom.js";
import { shortId } from "../shared/format.js";
import { text } from "../shared/text.js";

/** The address of the page about a mentor. @param {string} mentorId */
export const mentorPage = (mentorId) => `/me#mentor=${encodeURIComponent(mentorId)}`;

/**
 * @param {string} mentorId
 * @param {string} [code] his referral code, where it is known
 */
export function mentorName(mentorId, code) {
  return element(
    "span",
    { class: "mentor" },
    element(
      "a",
      {
        href: mentorPage(mentorId),
        title: mentorId,
        class: "id",
        "aria-label": code ? text("mentors.name-code", { id: shortId(mentorId), code }) : text("mentors.name", { id: shortId(mentorId) }),
      },
      code ?? shortId(mentorId),
    ),
    code && element("span", { class: "id quiet beside", title: mentorId, "aria-hidden": "true" }, shortId(mentorId)),
    copyButton(mentorId, text("copy.mentor-id-of", { id: shortId(mentorId) })),
  );
}
