/** What an organisation in which nothing has happened yet does next. */

import { copyButton } from "../shared/copying.js";
import { element, fill, find } from "../shared/dom.js";

/** @typedef {import("../shared/answers.js").Summary} Summary */

/** Whether there is nothing to show. @param {Summary} summary */
export const isEmpty = ({ totalClicks, pendingAttributions, confirmedAttributions, milestones }) =>
  totalClicks + pendingAttributions + confirmedAttributions + milestones === 0;

/**
 * Show the steps in place of the figures, or take them away.
 *
 * @param {Summary} summary
 */
export function showFirstSteps(summary) {
  const section = find("#welcome");
  const isShown = isEmpty(summary);
  section.hidden = !isShown;
  document.body.classList.toggle("empty", isShown);
  if (!isShown) return;
  const { orgId, mentors } = summary;
  fill(
    section,
    element("h2", { id: "welcome-title" }, "Nothing has been counted yet"),
    element("p", { class: "quiet" }, "Four steps, and this page fills by itself: no reload is needed."),
    element(
      "ol",
      { class: "first-steps" },
      step(
        "Bring in your mentors",
        mentors > 0,
        "A CSV file with a column mentor_id is enough.",
        `referrals mentors import mentors.csv --org ${orgId}`,
      ),
      step(
        "Get a mentor's link",
        false,
        "Each mentor has one now, and it stays the same. This prints it; it also stands on the mentor's own page, /me.",
        `referrals codes issue --org ${orgId} --mentor MENTOR_ID --json`,
      ),
      step("Share it", false, "Each click on it appears here, with the channel it came from."),
      step("Confirm a member", false, "Your membership system sends a signed webhook; the README shows one with curl."),
    ),
  );
}

/**
 * @param {string} title
 * @param {boolean} isDone
 * @param {string} text
 * @param {string} [command]
 */
function step(title, isDone, text, command) {
  return element(
    "li",
    { class: isDone ? "done" : null },
    element("h3", {}, title, isDone && element("span", { class: "tag" }, "Done")),
    element("p", { class: "quiet" }, text),
    command && element("div", { class: "command" }, element("code", {}, command), copyButton(command, "command")),
  );
}
