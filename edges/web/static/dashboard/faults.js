/** Why a membership system cannot be read, or has more than was read, by the codes of `edges/reconciliation/reasons.py`. */

import { inEnglish } from "../shared/dom.js";
import { parts, text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").Fault} Fault
 * @typedef {Record<string, string>} Values
 */

/** With the words of a library, which are English, marked as that. @param {Values} values */
const quoting = ({ said, ...values }) => ({ ...values, said: inEnglish(said) });

/** @type {Record<string, (values: Values) => string | (Node | string)[]>} */
const FAULTS = {
  "no-connection": (values) => parts("fault.no-connection", quoting(values)),
  "no-connection-often": (values) => parts("fault.no-connection-often", quoting(values)),
  "no-answer": (values) => parts("fault.no-answer", quoting(values)),
  "no-answer-often": (values) => parts("fault.no-answer-often", quoting(values)),
  answered: (values) => text("fault.answered", values),
  "answered-often": (values) => text("fault.answered-often", values),
  peace: (values) => text("fault.peace", values),
  "asked-for-peace": (values) => text("fault.asked-for-peace", values),
  refused: (values) => text("fault.refused", values),
  "client-refused": (values) => text("fault.client-refused", values),
  "no-secret": () => text("fault.no-secret"),
  "no-token": (values) => text("fault.no-token", values),
  "no-bearer-token": (values) => text("fault.no-bearer-token", values),
  redirects: (values) => text("fault.redirects", values),
  "other-origin": () => text("fault.other-origin"),
  "link-away": () => text("fault.link-away"),
  "no-address": (values) => text("fault.no-address", values),
  "too-large": (values) => text("fault.too-large", values),
  "too-long": (values) => text("fault.too-long", values),
  "no-file": (values) => parts("fault.no-file", quoting(values)),
  "page-ill": (values) => text("fault.page-ill", values),
  "page-trouble": (values) => text("fault.page-trouble", values),
  "several-lists": (values) => text("fault.several-lists", values),
  "no-list": (values) => text("fault.no-list", values),
  "page-no-json": (values) => parts("fault.page-no-json", quoting(values)),
  "no-end": (values) => text("fault.no-end", values),
  "said-before": (values) => text("fault.said-before", values),
  "column-twice": (values) => text("fault.column-twice", values),
  "no-column": (values) => text("fault.no-column", values),
  "none-has-column": (values) => text("fault.none-has-column", values),
  "none-read": (values) => text("fault.none-read", values),
  "fewer-rows": (values) => text("fault.fewer-rows", values),
  ended: () => text("fault.ended"),
  "page-full": (values) => text("fault.page-full", values),
  "more-somewhere": () => text("fault.more-somewhere"),
  "not-last": () => text("fault.not-last"),
  "more-pages": (values) => text("fault.more-pages", values),
  part: (values) => text("fault.part", values),
  "rows-left": (values) => text("fault.rows-left", values),
  "unknown-way": (values) => text("fault.unknown-way", values),
  "true-link": (values) => text("fault.true-link", values),
  "number-link": (values) => text("fault.number-link", values),
  "guess-missing": (values) => text("fault.guess-missing", values),
  "guess-repeats": (values) => text("fault.guess-repeats", values),
  "guess-empty": () => text("fault.guess-empty"),
};

/**
 * A fault in words; null where there is none, or one that a later version has.
 *
 * @param {Fault | null} fault
 */
export const faultInWords = (fault) => (fault === null ? null : (FAULTS[fault.code]?.(fault.values) ?? null));
