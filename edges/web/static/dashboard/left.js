/** Why reconciliation has left a row, by the codes of `edges/reconciliation/reasons.py`. */

import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").RowLeft} RowLeft
 * @typedef {Record<string, string>} Values
 */

/** @type {Record<string, (values: Values) => string>} */
const REASONS = {
  "no-object": () => text("left.no-object"),
  "no-json": () => text("left.no-json"),
  "no-csv": () => text("left.no-csv"),
  "too-many-cells": (values) => text("left.too-many-cells", values),
  "ends-before": (values) => text("left.ends-before", values),
  missing: (values) => text("left.missing", values),
  "no-uuid": (values) => text("left.no-uuid", values),
  "no-code": (values) => text("left.no-code", values),
  "not-utf8": (values) => text("left.not-utf8", values),
  rounded: (values) => text("left.rounded", values),
  empty: (values) => text("left.empty", values),
  word: (values) => text("left.word", values),
  "confirmed-and-withdrawn": (values) => text("left.confirmed-and-withdrawn", values),
  "confirmed-without-time": (values) => text("left.confirmed-without-time", values),
  "withdrawn-before": (values) => text("left.withdrawn-before", values),
  marked: (values) => text("left.marked", values),
  deleted: (values) => text("left.deleted", values),
  "deleted-no-uuid": () => text("left.deleted-no-uuid"),
  "two-columns": (values) => text("left.two-columns", values),
  twice: (values) => text("left.twice", values),
  "something-twice": () => text("left.something-twice"),
  "time-form": (values) => text("left.time-form", values),
  "time-pattern": (values) => text("left.time-pattern", values),
  "no-zone": (values) => text("left.no-zone", values),
  "no-time": (values) => text("left.no-time", values),
  "no-seconds": (values) => text("left.no-seconds", values),
  "no-milliseconds": (values) => text("left.no-milliseconds", values),
  "number-no-time": (values) => text("left.number-no-time", values),
  "time-twice": (values) => text("left.time-twice", values),
  "too-early": (values) => text("left.too-early", values),
  future: (values) => text("left.future", values),
  contradicted: () => text("left.contradicted"),
  "two-codes": () => text("left.two-codes"),
  "beside-unclear": () => text("left.beside-unclear"),
  "under-several": (values) => text("left.under-several", values),
};

/** A list's page and row, or a file's line that came by http, as `edges/reconciliation/pages.py` writes them. */
const PAGE_AND_ROW = /^page (?<page>\d+), row (?<row>\d+)$/;
const LINE = /^line:(?<line>\d+)$/;

/**
 * Where a row stands, in words; a file on the server and its line are the same in every language.
 *
 * @param {string} place
 */
export function placeInWords(place) {
  const found = PAGE_AND_ROW.exec(place) ?? LINE.exec(place);
  const { page, row, line } = found?.groups ?? {};
  if (page !== undefined && row !== undefined) return text("membership.page-row", { page, row });
  return line === undefined ? place : text("membership.line", { line });
}

/**
 * A row's reason in words; null where it has no code, or one that a later version has.
 *
 * @param {RowLeft} row
 */
export const reasonLeft = ({ code, values }) => (code === null ? null : (REASONS[code]?.(values) ?? null));
