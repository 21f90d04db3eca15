/**
 * A chart on paper: lines over axes with a title, a legend and the names of the axes.
 *
 * @module
 */
import { type Line, makePlot, strokeOf } from "./plot.ts";
import type { AxisOptions } from "./scale.ts";
import { textWidth } from "./shapes.ts";
import { type Drawing, element, markup, text } from "./svg.ts";

/** A point, and the interval around it. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** A line of a chart. */
export interface Series {
  readonly label: string;
  readonly colour: string;
  readonly points: readonly ChartPoint[];
  /** As of SVG's stroke-dasharray; whole unless given. */
  readonly dash?: string | undefined;
  /** Whether points are marked; for few of them. "alone": without a line between them. */
  readonly marks?: boolean | "alone";
}

/** What a chart shows. */
export interface LineChart {
  readonly title: string;
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  readonly series: readonly Series[];
  readonly width?: number;
  /** Of a chart with a legend of three rows at most. */
  readonly height?: number;
  /** Default true where there is more than one labelled series. */
  readonly legend?: boolean;
  /** Values of y with a line across. */
  readonly rules?: readonly number[];
}

const LEGEND_LINE = 18;
/** Rows of a legend that a chart has room for; with more it becomes higher. */
const MOST_ROWS = 3;
/** Columns a pixel: what a print of it can show. */
const DETAIL = 3;

/** Draws a chart. */
export function lineChart(chart: LineChart): Drawing {
  const { width = 440, series, x, y, rules = [] } = chart;
  const labelled = series.filter(({ label }) => label !== "");
  const wanted = chart.legend ?? labelled.length > 1;
  const rows = wanted ? legendRows(labelled, width - 58) : [];
  const top = 30 + LEGEND_LINE * rows.length;
  const height = (chart.height ?? 300) + LEGEND_LINE * Math.max(0, rows.length - MOST_ROWS);
  const frame = { left: 58, top, width: width - 58 - 12, height: height - top - 46 };
  const { shapes } = makePlot({ frame, x, y, rules, lines: series.map(lineOf), detail: DETAIL });
  const middle = { x: frame.left + frame.width / 2, y: top + frame.height / 2 };
  const content = [
    text(frame.left, 14, chart.title, { size: 13, bold: true }),
    legend(rows, frame.left),
    ...shapes.map(markup),
    text(middle.x, height - 9, x.label, { size: 12, anchor: "middle" }),
    text(14, middle.y, y.label, { size: 12, anchor: "middle", rotate: -90 }),
  ];
  return { width, height, content: content.join("") };
}

function lineOf({ points, ...rest }: Series): Line {
  const line = {
    ...rest,
    id: rest.label,
    points: { steps: points.map(({ x }) => x), values: points.map(({ y }) => y) },
  };
  if (points.every(({ low }) => low === undefined)) return line;
  const low = points.map(({ low }) => low ?? NaN), high = points.map(({ high }) => high ?? NaN);
  return { ...line, low, high };
}

function legendRows(series: readonly Series[], width: number): Series[][] {
  const rows: Series[][] = [];
  let used = Infinity;
  for (const one of series) {
    const own = 34 + textWidth(one.label, 11);
    if (used + own > width) {
      rows.push([]);
      used = 0;
    }
    rows.at(-1)!.push(one);
    used += own;
  }
  return rows;
}

function legend(rows: readonly Series[][], left: number): string {
  return rows.map((row, i) => {
    let x = left;
    const y = 32 + LEGEND_LINE * i;
    return row.map((one) => {
      const key = element("line", { x1: x, x2: x + 20, y1: y - 4, y2: y - 4, ...strokeOf(one) });
      const label = text(x + 25, y, one.label, { size: 11 });
      x += 34 + textWidth(one.label, 11);
      return key + label;
    }).join("");
  }).join("");
}
