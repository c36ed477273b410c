/** The dead letters of a page: what is wrong with each, where it came from, and whether it was sent again. */

import { element, isolated } from "../shared/dom.js";
import { dateAndTime, number } from "../shared/format.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";
import { messageInWords } from "./messages.js";
import { reasonInWords, topicInWords } from "./reasons.js";

/**
 * @typedef {import("../shared/answers.js").DeadLetter} DeadLetter
 * @typedef {import("../shared/answers.js").DeadLetterCount} Count
 */

/** @param {Count[]} counts */
export const countsTable = (counts) =>
  table(
    text("letters.by-reason"),
    "counts",
    [
      { head: text("letters.reason"), kind: "name", isName: true },
      { head: text("letters.topic"), kind: "wide" },
      { head: text("letters.count-open"), kind: "strong" },
      { head: text("letters.count-sent") },
    ],
    counts.map(({ reason, topic, open, replayed }) => ({
      cells: [
        [reasonInWords(reason), element("span", { class: "from quiet" }, topicInWords(topic))],
        topicInWords(topic),
        number(open),
        number(replayed),
      ],
    })),
  );

/**
 * @param {DeadLetter[]} letters
 * @param {(letter: DeadLetter) => void} tryOne
 */
export const lettersList = (letters, tryOne) =>
  element("ul", { class: "letters", "aria-label": text("letters.list") }, letters.map((letter) => line(letter, tryOne)));

/**
 * @param {DeadLetter} letter
 * @param {(letter: DeadLetter) => void} tryOne
 */
function line(letter, tryOne) {
  const { writtenAt, reason, message, topic, replayedAt } = letter;
  return element(
    "li",
    { "data-letter": letter.letter },
    element("h3", {}, reasonInWords(reason)),
    element("time", { datetime: writtenAt }, dateAndTime(writtenAt)),
    element("p", {}, `${topicInWords(topic)}: `, messageInWords(message)),
    replayedAt !== null && element("p", { class: "quiet" }, text("letters.sent-at", { day: dateAndTime(replayedAt) })),
    element(
      "details",
      {},
      element("summary", { "aria-label": text("letters.more-of", { letter: letter.letter }) }, text("letters.more")),
      facts(letter),
      replayedAt === null &&
        element(
          "button",
          {
            type: "button",
            class: "button",
            "data-about": `try ${letter.letter}`,
            "aria-label": text("letters.try-one-of", { letter: letter.letter }),
            onclick: () => tryOne(letter),
          },
          text("letters.try-one"),
        ),
    ),
  );
}

/** @param {DeadLetter} letter */
function facts({ letter, reason, stage, topic, partition, offset, referralCode, records, bytes, again }) {
  /** @param {string} name @param {import("../shared/dom.js").Child} said */
  const fact = (name, said) => element("div", {}, element("dt", {}, name), element("dd", {}, said));
  return element(
    "dl",
    {},
    fact(text("letters.letter"), letter),
    fact(text("letters.kind"), reason),
    fact(text("letters.source"), topic === null ? "–" : `${topic}/${partition}/${offset}`),
    fact(text("letters.stage"), isolated(stage)),
    fact(text("letters.code"), referralCode ?? "–"),
    fact(text("letters.size"), text("letters.bytes", { n: bytes })),
    records > 1 && fact(text("letters.records"), number(records)),
    again && fact(text("letters.again"), text("letters.again-means")),
  );
}
