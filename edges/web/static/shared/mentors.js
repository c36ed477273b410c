/** What a mentor is called, wherever he is named: his name, else his code, else the beginning and end of his id. */

import { copyButton } from "./copying.js";
import { element, isolated } from "./dom.js";
import { shortId } from "./format.js";
import { text } from "./text.js";

/** @typedef {{mentorId: string, referralCode: string | null, displayName: string | null, group?: string | null}} Named */

/** The address of the page about a mentor. @param {string} mentorId */
export const mentorPage = (mentorId) => `/me#mentor=${encodeURIComponent(mentorId)}`;

/** What stands for a mentor who has no name. A page may know no code yet, or an empty one. @param {Named} mentor */
const pseudonym = ({ mentorId, referralCode }) => referralCode || shortId(mentorId);

/** What he is called in a sentence, where a code alone would not say that it is a mentor's. @param {Named} mentor */
export const mentorCalled = (mentor) => mentor.displayName ?? text("mentors.name", { id: pseudonym(mentor) });

/** Leads to the page about him. @param {Named} mentor */
export function mentorLink(mentor) {
  const { mentorId, referralCode: code, displayName: name } = mentor;
  return element(
    "a",
    {
      href: mentorPage(mentorId),
      title: mentorId,
      class: name ? "called" : "id",
      "aria-label": name
        ? null
        : code
          ? text("mentors.name-code", { id: shortId(mentorId), code })
          : text("mentors.name", { id: shortId(mentorId) }),
    },
    name ? isolated(name) : pseudonym(mentor),
  );
}

/** The same with his group, his code or the ends of his id beside it, and the whole of his id to copy. @param {Named} mentor */
export function mentorName(mentor) {
  const { mentorId, referralCode: code, displayName: name, group } = mentor;
  const beside = name ? code : code && shortId(mentorId);
  return element(
    "span",
    { class: "mentor" },
    element(
      "span",
      { class: "who" },
      mentorLink(mentor),
      group && element("span", { class: "quiet" }, isolated(group)),
      beside && element("span", { class: "id quiet beside", title: mentorId, "aria-hidden": "true" }, beside),
    ),
    copyButton(mentorId, text("copy.mentor-id-of", { id: shortId(mentorId) })),
  );
}
