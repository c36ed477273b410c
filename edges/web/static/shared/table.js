/**
 * A table that fits any panel: where there is no room for columns, a row becomes its name with labelled figures below
 * (base.css, tables). Roles are written out, because a table that is not laid out as one loses its own.
 */

import { element } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child */
/** @typedef {{head: string, kind?: string, isName?: boolean}} Column what stands above it, its class, whether it names the row */
/** @typedef {{cells: (Child | Child[])[], attributes?: Record<string, string>}} Row a cell for each column */

/**
 * @param {string} caption for those who listen
 * @param {string} kind the table's class
 * @param {Column[]} columns
 * @param {Row[]} rows
 */
export function table(caption, kind, columns, rows) {
  return element(
    "table",
    { class: kind, role: "table" },
    element("caption", { class: "unseen" }, caption),
    element(
      "thead",
      { role: "rowgroup" },
      element(
        "tr",
        { role: "row" },
        columns.map(({ head, kind }) => element("th", { scope: "col", role: "columnheader", class: kind }, head)),
      ),
    ),
    element(
      "tbody",
      { role: "rowgroup" },
      rows.map(({ cells, attributes }) =>
        element(
          "tr",
          { role: "row", ...attributes },
          columns.map(({ head, kind, isName }, place) =>
            isName
              ? element("th", { scope: "row", role: "rowheader", class: kind }, cells[place])
              : element("td", { role: "cell", class: kind, "data-head": head }, cells[place]),
          ),
        ),
      ),
    ),
  );
}
