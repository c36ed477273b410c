/**
 * Clicks and registrations day by day: two charts one above the other with the same days, because clicks are many and
 * registrations few, and a second axis would let the reader compare what cannot be compared. And the same as a table.
 */

import { announce, element, fill, find } from "../shared/dom.js";
import { days as daysFrom, longDay, number, shortDay, shortNumber } from "../shared/format.js";
import { table } from "../shared/table.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/answers.js").History} History
 * @typedef {import("../shared/answers.js").Day} Day
 * @typedef {"clicks" | "registered" | "confirmed" | "withdrawn"} Kind
 */

/** @type {[Kind, string][]} */
const KINDS = [
  ["clicks", text("counts.clicks")],
  ["registered", text("counts.registered")],
  ["confirmed", text("counts.confirmed")],
  ["withdrawn", text("counts.withdrawn")],
];
// In rem, as the type is.
const LABEL_SIZE = 0.75;
const CHARACTER_WIDTH = 0.45;
const LABEL_WIDTH = 4;
const DAYS_HEIGHT = 1.5;
const LAST_DAY_OVER = 1.5; // half of its label, where days are narrow
const LINE_DISTANCE = 2.125;
/** The part of the height that clicks have, which are above. */
const CLICKS_SHARE = 0.56;
/** Between two lines of a chart; without one that is large enough it has no axis at all. */
const STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

export class DailyChart {
  /** @type {Day[]} */
  #days = [];
  /** @type {any[]} */
  #plots = [];
  /** Room for the longest number of both charts, so that their days stand above each other. */
  #axisWidth = 0;
  /** What the days are called together. */
  #called = "";
  /** The day that is pointed at; null: none, and the sums of all are shown. @type {number | null} */
  #at = null;

  /** @param {() => void} onSave */
  constructor(onSave) {
    this.#save = element("button", { type: "button", class: "button", id: "export-days", onclick: onSave }, text("daily.export"));
    this.#readout = element("dl", { class: "readout" });
    this.#day = element("p", { class: "quiet readout-day" });
    this.#canvas = element("div", {
      class: "charts",
      tabindex: 0,
      role: "application",
      "aria-roledescription": text("daily.chart"),
      "aria-describedby": "daily-note",
      "aria-label": text("daily.keys"),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event),
      onblur: () => this.#point(null),
    });
    this.#table = element("div", {
      class: "table-alternative",
      hidden: true,
      tabindex: 0,
      role: "group",
      "aria-label": text("daily.table"),
    });
    this.#switch = element(
      "button",
      { type: "button", class: "button", onclick: () => this.#toggle() },
      text("daily.as-table"),
    );
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    addEventListener("themechange", () => this.#plots.forEach((plot) => plot.redraw()));
  }
  #readout;
  #day;
  #canvas;
  #table;
  #switch;
  #save;

  /**
   * @param {HTMLElement} body
   * @param {History} history
   */
  show(body, { days, period, today }) {
    this.#called = period.to === today ? text("daily.last", { n: days.length }) : daysFrom(period.from, period.to);
    const isNewRange = days.length !== this.#days.length || days[0]?.day !== this.#days[0]?.day;
    this.#days = days;
    if (!body.contains(this.#canvas)) {
      fill(
        body,
        element("div", { class: "chart-head" }, this.#readout, this.#day),
        this.#canvas,
        this.#table,
        element("div", { class: "chart-foot" }, element("p", { class: "quiet", id: "daily-note" }, text("daily.note")), this.#switch, this.#save),
      );
    }
    this.#fillTable();
    this.#point(isNewRange ? null : this.#at);
    void this.#draw(isNewRange);
  }

  /** @param {boolean} isNewRange */
  async #draw(isNewRange) {
    const uPlot = await chartLibrary();
    if (uPlot === null) {
      if (this.#table.hidden) this.#toggle();
      return;
    }
    const positions = this.#days.map((_, position) => position);
    const [clicks, registered, confirmed] = KINDS.map(([kind]) => this.#days.map((day) => day[kind] || null)); // nothing is drawn for nothing
    const most = Math.max(...this.#days.flatMap((day) => KINDS.map(([kind]) => day[kind])), 0);
    this.#axisWidth = 16 + inPixels(CHARACTER_WIDTH) * Math.max(3, shortNumber(most).length);
    const data = [
      [positions, clicks],
      [positions, registered, confirmed],
    ];
    if (this.#plots.length > 0 && !isNewRange) {
      this.#plots.forEach((plot, number) => plot.setData(data[number]));
      return;
    }
    this.#plots.forEach((plot) => plot.destroy());
    const width = this.#canvas.clientWidth;
    const [above, below] = this.#heights;
    this.#plots = [
      new uPlot(this.#options(uPlot, width, above, [["clicks", 0]], false), data[0], this.#canvas),
      new uPlot(
        this.#options(
          uPlot,
          width,
          below,
          [
            ["registered", -1],
            ["confirmed", 1],
          ],
          true,
        ),
        data[1],
        this.#canvas,
      ),
    ];
  }

  /**
   * @param {any} uPlot
   * @param {number} width
   * @param {number} height
   * @param {[Kind, number][]} series what is shown, and on which side of its day
   * @param {boolean} hasDays whether the days stand below
   */
  #options(uPlot, width, height, series, hasDays) {
    const line = { stroke: () => colour("--line"), width: 1 };
    const font = `${inPixels(LABEL_SIZE)}px ${getComputedStyle(document.body).fontFamily}`;
    return {
      width,
      height,
      padding: [hasDays ? 12 : 8, inPixels(LAST_DAY_OVER), hasDays ? 0 : 4, 0],
      legend: { show: false },
      cursor: { sync: { key: "daily" }, y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: () => [-0.6, this.#days.length - 0.4] },
        y: {
          range: (/** @type {any} */ _, /** @type {number} */ least, /** @type {number} */ most) => [
            Math.min(0, least ?? 0),
            Math.max(4, (most ?? 0) * 1.05),
          ],
        },
      },
      axes: [
        {
          show: hasDays,
          size: inPixels(DAYS_HEIGHT),
          gap: 6,
          font,
          stroke: () => colour("--muted"),
          grid: { show: false },
          ticks: { show: false },
          splits: (/** @type {any} */ plot) => this.#labelled(plot.width), // it may be turned, or made narrower
          values: (/** @type {any} */ _, /** @type {number[]} */ splits) =>
            splits.map((split) => shortDay(this.#days[split].day)),
        },
        {
          size: () => this.#axisWidth,
          gap: 6,
          font,
          stroke: () => colour("--muted"),
          grid: line,
          ticks: { show: false },
          space: inPixels(LINE_DISTANCE),
          incrs: STEPS,
          values: (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map(shortNumber),
        },
      ],
      series: [
        {},
        ...series.map(([kind, side]) => ({
          fill: () => colour(`--${kind}`),
          stroke: () => colour("--accent"),
          width: kind === "registered" ? 1 : 0,
          points: { show: false },
          paths: uPlot.paths.bars({ size: [side === 0 ? 0.62 : 0.34, 26], align: side, radius: 0.15 }),
        })),
      ],
      hooks: { setCursor: [(/** @type {any} */ plot) => this.#point(plot.cursor.idx ?? null)] },
    };
  }

  /** How high each chart is: together as high as what is beside them leaves room for (page.css). */
  get #heights() {
    const days = inPixels(DAYS_HEIGHT);
    const room = this.#canvas.clientHeight - days;
    const above = Math.round(room * CLICKS_SHARE);
    return [above, room - above + days];
  }

  /** The days that have room for their label. @param {number} width */
  #labelled(width) {
    const step = Math.max(1, Math.ceil((this.#days.length * inPixels(LABEL_WIDTH)) / Math.max(1, width - this.#axisWidth)));
    const last = this.#days.length - 1;
    return this.#days.map((_, position) => position).filter((position) => (last - position) % step === 0);
  }

  /** Tell a day's figures, or the sums of all. @param {number | null} position */
  #point(position) {
    const days = position === null ? this.#days : this.#days.slice(position, position + 1);
    this.#at = position;
    fill(
      this.#readout,
      KINDS.map(([kind, name]) =>
        element(
          "div",
          { class: `kind ${kind}` },
          element("dt", {}, name),
          element("dd", {}, number(days.reduce((sum, day) => sum + day[kind], 0))),
        ),
      ),
    );
    this.#day.textContent = position === null ? this.#called : longDay(days[0].day);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.#days.length - 1;
    const at = this.#at;
    /** @type {Record<string, number>} */
    const positions = {
      ArrowLeft: Math.max(0, (at ?? last + 1) - 1),
      ArrowRight: Math.min(last, (at ?? -1) + 1),
      Home: 0,
      End: last,
    };
    if (event.key === "Escape") return this.#point(null);
    if (!(event.key in positions)) return;
    event.preventDefault();
    const position = positions[event.key];
    for (const plot of this.#plots) plot.setCursor({ left: plot.valToPos(position, "x"), top: 0 }, false);
    this.#point(position);
    const day = this.#days[position];
    const { clicks, registered, confirmed, withdrawn } = day;
    announce(text("daily.said", { day: longDay(day.day), clicks, registered, confirmed, withdrawn }));
  }

  #resize() {
    const width = this.#canvas.clientWidth;
    if (width > 0) this.#plots.forEach((plot, number) => plot.setSize({ width, height: this.#heights[number] }));
  }

  #toggle() {
    const isTable = this.#table.hidden;
    this.#table.hidden = !isTable;
    this.#canvas.hidden = isTable;
    this.#switch.textContent = isTable ? text("daily.as-chart") : text("daily.as-table");
  }

  #fillTable() {
    const columns = [{ head: text("daily.day"), isName: true }, ...KINDS.map(([, head]) => ({ head }))];
    const rows = this.#days
      .toReversed()
      .map((day) => ({ cells: [longDay(day.day), ...KINDS.map(([kind]) => number(day[kind]))] }));
    fill(this.#table, table(text("daily.caption"), "days", columns, rows));
  }
}

/** A length as a canvas takes it. @param {number} rem */
const inPixels = (rem) => rem * parseFloat(getComputedStyle(document.documentElement).fontSize);

/** uPlot, which the page loads beside everything else; null where it did not come. @returns {Promise<any>} */
async function chartLibrary() {
  const script = find("#chart-library");
  if (!("uPlot" in window) && !script.dataset.failed) {
    await new Promise((resolve) => {
      script.addEventListener("load", resolve, { once: true });
      script.addEventListener("error", resolve, { once: true });
    });
  }
  return /** @type {any} */ (window).uPlot ?? null;
}

/** A colour of the theme as a canvas understands it. @param {string} name */
function colour(name) {
  const probe = find("#probe");
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}
