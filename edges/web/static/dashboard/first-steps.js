/** What an organisation in which nothing has happened yet does next. */

import { copyButton } from "../shared/copying.js";
import { element, fill, find } from "../shared/dom.js";
import { text } from "../shared/text.js";

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
    element("h2", { id: "welcome-title" }, text("first.title")),
    element("p", { class: "quiet" }, text("first.text")),
    element(
      "ol",
      { class: "first-steps" },
      step(
        text("first.mentors"),
        mentors > 0,
        text("first.mentors-text"),
        `referrals mentors import mentors.csv --org ${orgId}`,
      ),
      step(
        text("first.link"),
        false,
        text("first.link-text"),
        `referrals codes issue --org ${orgId} --mentor MENTOR_ID --json`,
      ),
      step(text("first.share"), false, text("first.share-text")),
      step(text("first.confirm"), false, text("first.confirm-text")),
    ),
  );
}

/** A command whose options are not parted at their hyphens. @param {string} command */
const options = (command) =>
  command.split(/(--\w+)/).map((part) => (part.startsWith("--") ? element("span", { class: "option" }, part) : part));

/**
 * @param {string} title
 * @param {boolean} isDone
 * @param {string} explanation
 * @param {string} [command]
 */
function step(title, isDone, explanation, command) {
  return element(
    "li",
    { class: isDone ? "done" : null },
    element("h3", {}, title, isDone && element("span", { class: "tag" }, text("first.done"))),
    element("p", { class: "quiet" }, explanation),
    command && element("div", { class: "command" }, element("code", {}, options(command)), copyButton(command, text("copy.command"))),
  );
}
