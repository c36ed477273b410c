/** The first of the mentors who have reached a badge and do not hold it, and how many more there are. */

import { element } from "../shared/dom.js";
import { mentorLink } from "../shared/mentors.js";
import { text } from "../shared/text.js";

const NAMED = 5;

/** @param {import("../shared/answers.js").BadgePreview} preview */
export function mentorsDue({ due, mentors }) {
  const named = mentors.slice(0, NAMED);
  return element(
    "ul",
    { class: "mentors" },
    named.map((mentor) =>
      element(
        "li",
        {},
        mentorLink(mentor),
        element("span", { class: "quiet" }, text("counts.confirmed-number", { n: mentor.confirmedAttributions })),
      ),
    ),
    due > named.length && element("li", { class: "quiet" }, text("making.more", { n: due - named.length })),
  );
}
