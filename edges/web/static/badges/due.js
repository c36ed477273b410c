/** The first of the mentors who have reached a badge and do not hold it, and how many more there are. */

import { mentorPage } from "../dashboard/mentors.js";
import { element, isolated } from "../shared/dom.js";
import { shortId } from "../shared/format.js";
import { text } from "../shared/text.js";

const NAMED = 5;

/** @param {import("../shared/answers.js").BadgePreview} preview */
export function mentorsDue({ due, mentors }) {
  const named = mentors.slice(0, NAMED);
  return element(
    "ul",
    { class: "mentors" },
    named.map(({ mentorId, displayName, confirmedAttributions }) =>
      element(
        "li",
        {},
        element("a", { href: mentorPage(mentorId), title: mentorId }, displayName ? isolated(displayName) : shortId(mentorId)),
        element("span", { class: "quiet" }, text("counts.confirmed-number", { n: confirmedAttributions })),
      ),
    ),
    due > named.length && element("li", { class: "quiet" }, text("making.more", { n: due - named.length })),
  );
}
