/** What the kinds of fault mean, and where records come from, in words. */

import { text } from "../shared/text.js";

/** @type {Record<string, string>} as the contract lists them */
export const REASONS = {
  BadEvent: text("letters.bad-event"),
  BadCode: text("letters.bad-code"),
  OtherOrganisation: text("letters.other-organisation"),
  CodeTaken: text("letters.code-taken"),
  WaitingFull: text("letters.waiting-full"),
  WaitedTooLong: text("letters.waited-too-long"),
  Unprocessable: text("letters.unprocessable"),
  SecondCode: text("letters.second-code"),
  RecordRefused: text("letters.record-refused"),
};

/** @type {Record<string, string>} by the topic's name as the API takes it */
export const TOPICS = {
  registrations: text("letters.registrations"),
  clicks: text("letters.clicks"),
  codes: text("letters.codes"),
  "mentor-counts": text("letters.mentor-counts"),
  milestones: text("letters.milestones"),
};

/** @param {string} reason */
export const reasonInWords = (reason) => REASONS[reason] ?? reason;

/** @param {string | null} topic as it is told: registrations.v1 */
export const topicInWords = (topic) =>
  topic === null ? text("letters.no-topic") : (TOPICS[topic.replace(/\.v\d+$/, "")] ?? topic);
