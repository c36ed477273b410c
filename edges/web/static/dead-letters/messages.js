/**
 * What is wrong with a record, in words. The program says it in English, with the record, so each form that it has is
 * known here by its words; what none is, a parser's own for example, stays as it was said, in English.
 */

import { inEnglish } from "../shared/dom.js";
import { parts, text } from "../shared/text.js";

/** @typedef {import("../shared/dom.js").Child} Child */
/** @typedef {Record<string, string>} Values */

/** What was read may be of these kinds, as JSON names them. @type {Record<string, string>} */
const KINDS = {
  str: text("why.kind.str"),
  int: text("why.kind.int"),
  float: text("why.kind.float"),
  bool: text("why.kind.bool"),
  object: text("why.kind.object"),
  array: text("why.kind.array"),
  null: text("why.kind.null"),
  datetime: text("why.kind.datetime"),
};

/** @param {string} kind where the field may be left out, `str | null` */
const kindInWords = (kind) => KINDS[kind.replace(" | null", "")] ?? kind;

/** Messages of what is no event begin with which one it should be; where it was read from says that already. */
const EVENT = /^(?:CodeIssued|Click|Registration|Erasure|MentorCounts|MilestoneReached): /;

/** @type {[RegExp, (values: Values) => Child | Child[]][]} */
const FORMS = [
  [/^the value is empty$/, () => text("why.empty")],
  [/^the value has [\d,]+ bytes; at most [\d,]+ are allowed, and \d+ opening brackets$/, () => text("why.too-large")],
  [/^(?:JSON is malformed: .*|Input data was truncated|.*codec can't decode.*|body is not JSON in UTF-8)$/, () => text("why.no-json")],
  [/^Object missing required field `(?<field>\w+)`$/, (values) => text("why.missing", values)],
  [/^Expected `object`, got `(?<got>\w+)`$/, ({ got }) => text("why.no-object", { got: kindInWords(got) })],
  [/^Expected `datetime` with a timezone component - at `\$\.(?<field>[\w.]+)`$/, (values) => text("why.no-zone", values)],
  [
    /^Expected `(?<wanted>[^`]+)`, got `(?<got>\w+)` - at `\$\.(?<field>[\w.]+)`$/,
    ({ field, wanted, got }) => text("why.other-kind", { field, wanted: kindInWords(wanted), got: kindInWords(got) }),
  ],
  [/^Invalid enum value.* - at `\$\.(?<field>[\w.]+)`$/, (values) => text("why.other-word", values)],
  [/^Invalid RFC3339 encoded datetime - at `\$\.(?<field>[\w.]+)`$/, (values) => text("why.no-time", values)],
  [/^(?<field>[\w.]+) is none of .*$/, (values) => text("why.other-word", values)],
  [/^(?<field>[\w.]+) has no offset; write it as .*$/, (values) => text("why.no-zone", values)],
  [/^(?<field>[\w.]+) is (?:not a text|no time|a date without a time); write it as .*$/, (values) => text("why.no-time", values)],
  [/^(?<field>[\w.]+) is not a UUID(?: as a text)?$/, (values) => text("why.no-uuid", values)],
  [/^(?<field>[\w.]+) stands for an id that is not set; send the id$/, (values) => text("why.unset", values)],
  [/^(?<field>[\w.]+) is there twice, and not the same; send it once$/, (values) => text("why.twice", values)],
  [/^(?<field>[\w.]+) is more than a day ahead of the clock here; check the sender's$/, (values) => text("why.ahead", values)],
  [/^(?<field>[\w.]+) lies before there were referral links; say when it happened$/, (values) => text("why.too-early", values)],
  [/^referral_code is not 8 to 12 characters of Crockford's base32 alphabet$/, () => text("why.no-code")],
  [/^referral_code is not a text; a number may have lost its zeros$/, () => text("why.number-code")],
  [/^referral_code has spaces in it and may be something else; send the code alone, without spaces$/, () => text("why.spaced-code")],
  [/^org_id [0-9a-fA-F-]{36} is not the organisation [0-9a-fA-F-]{36} of code (?<code>[0-9A-Z]+)$/, (values) => text("why.other-organisation", values)],
  [
    /^(?<n>[\d,]+) of the records that waited for code (?<code>[0-9A-Z]+) named another organisation than its own, .*$/,
    ({ n, code }) => text("why.waited-for-other", { n: Number(n.replaceAll(",", "")), code }),
  ],
  [/^code (?<code>[0-9A-Z]+) is issued to mentor [0-9a-fA-F-]{36} of organisation [0-9a-fA-F-]{36}; the first issue stands$/, (values) => text("why.code-taken", values)],
  [/^code (?<code>[0-9A-Z]+) is not issued yet and .* wait already .*$/, (values) => text("why.waiting-full", values)],
  [
    /^code (?<code>[0-9A-Z]+) was not issued within (?<n>\d+) days? .*$/,
    ({ n, code }) => text("why.waited-days", { n: Number(n), code }),
  ],
  [/^code (?<code>[0-9A-Z]+) was not issued within .*$/, (values) => text("why.waited", values)],
  [/^processing it failed each time: (?<said>.*)$/s, ({ said }) => parts("why.failed", { said: inEnglish(said) })],
  [/^\w+: it would be one again, the first issue of a code stands$/, () => text("why.stands")],
  [/^its member was erased; .*$/, () => text("why.erased")],
  [/^it is too large$/, () => text("why.too-large")],
  [/^it came from .*; only codes, clicks and registrations can be sent again$/, () => text("why.not-ours")],
];

/**
 * What is wrong, in the page's language where it is a form of ours.
 *
 * @param {string} message as a dead letter has it, or why it cannot be sent again
 * @returns {Child | Child[]}
 */
export function messageInWords(message) {
  const said = message.replace(/^it would be one again: /, "").replace(EVENT, "");
  for (const [form, inWords] of FORMS) {
    const found = form.exec(said);
    if (found !== null) return inWords(found.groups ?? {});
  }
  return inEnglish(said);
}
