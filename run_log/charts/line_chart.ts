/**
 * Charts of lines, each with a band of what is not known of it.
 *
 * @module
 */
import { type AxisOptions, makeScale, type Scale } from "./scale.ts";
import { type Drawing, element, FAINT, GRID, INK, px, text, textWidth } from "./svg.ts";

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
  readonly dashed?: boolean;
  readonly width?: number;
  /** Whether points are marked; for few of them. */
  readonly marks?: boolean;
}

/** What a chart shows. */
export interface LineChart {
  readonly title: string;
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  readonly series: readonly Series[];
  readonly width?: number;
  readonly height?: number;
  /** Default true where there is more than one labelled series. */
  readonly legend?: boolean;
  /** Values of y with a line across. */
  readonly rules?: readonly number[];
}

interface Plot {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: Scale;
  readonly y: Scale;
}

const LEGEND_LINE = 18;

/** Draws a chart. */
export function lineChart(chart: LineChart): Drawing {
  const { width = 440, height = 300, series } = chart;
  const labelled = series.filter(({ label }) => label !== "");
  const wanted = chart.legend ?? labelled.length > 1;
  const rows = wanted ? legendRows(labelled, width - 58) : [];
  const all = series.flatMap(({ points }) => points);
  const values = all.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
  const top = 30 + LEGEND_LINE * rows.length;
  const plot: Plot = {
    left: 58,
    top,
    width: width - 58 - 12,
    height: height - top - 46,
    x: makeScale(all.map(({ x }) => x), chart.x, 0.02),
    y: makeScale(values, chart.y),
  };
  const content = [
    text(plot.left, 14, chart.title, { size: 13, bold: true }),
    legend(rows, plot.left),
    axes(plot, chart),
    ...(chart.rules ?? []).map((value) => rule(plot, value)),
    ...series.map((one) => band(plot, one)),
    ...series.map((one) => line(plot, one)),
  ];
  return { width, height, content: content.join("") };
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
      const stroke = strokeOf(one);
      const key = element("line", { x1: x, x2: x + 20, y1: y - 4, y2: y - 4, ...stroke });
      const label = text(x + 25, y, one.label, { size: 11 });
      x += 34 + textWidth(one.label, 11);
      return key + label;
    }).join("");
  }).join("");
}

function strokeOf({ colour, dashed = false, width = 1.8 }: Series) {
  return {
    stroke: colour,
    "stroke-width": width,
    "stroke-dasharray": dashed ? "5 3" : undefined,
    "stroke-linejoin": "round",
  };
}

function axes(plot: Plot, chart: LineChart): string {
  const { left, top, width, height, x, y } = plot;
  const bottom = top + height;
  const parts: string[] = [];
  for (const { value, label } of y.ticks) {
    const at = bottom - y.place(value) * height;
    if (label !== "") {
      parts.push(element("line", { x1: left, x2: left + width, y1: at, y2: at, stroke: GRID }));
      parts.push(text(left - 7, at + 4, label, { size: 11, anchor: "end", fill: FAINT }));
    }
  }
  for (const { value, label } of x.ticks) {
    const at = left + x.place(value) * width;
    const length = label === "" ? 3 : 5;
    parts.push(element("line", { x1: at, x2: at, y1: bottom, y2: bottom + length, stroke: INK }));
    if (label !== "") {
      parts.push(text(at, bottom + 18, label, { size: 11, anchor: "middle", fill: FAINT }));
    }
  }
  parts.push(
    element("path", {
      d: `M${px(left)} ${px(top)}V${px(bottom)}H${px(left + width)}`,
      fill: "none",
      stroke: INK,
    }),
    text(left + width / 2, bottom + 37, chart.x.label, { size: 12, anchor: "middle" }),
    text(14, top + height / 2, chart.y.label, { size: 12, anchor: "middle", rotate: -90 }),
  );
  return parts.join("");
}

function rule({ left, top, width, height, y }: Plot, value: number): string {
  const at = top + height - y.place(value) * height;
  return element("line", {
    ...{ x1: left, x2: left + width, y1: at, y2: at },
    ...{ stroke: INK, "stroke-width": 1.2, "stroke-dasharray": "2 3" },
  });
}

/** Places on the drawing; what a log scale cannot show is at its edge. */
function placer({ left, top, width, height, x, y }: Plot) {
  const clamp = (share: number) => Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
  return {
    x: (value: number) => left + clamp(x.place(value)) * width,
    y: (value: number) => top + height - clamp(y.place(value)) * height,
  };
}

function band(plot: Plot, { points, colour }: Series): string {
  const known = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  if (known.length < 2) return "";
  const at = placer(plot);
  const there = known.map(({ x, high }) => `${px(at.x(x))} ${px(at.y(high!))}`);
  const back = known.toReversed().map(({ x, low }) => `${px(at.x(x))} ${px(at.y(low!))}`);
  const d = `M${there.join("L")}L${back.join("L")}Z`;
  return element("path", { d, fill: colour, "fill-opacity": "0.18" });
}

function line(plot: Plot, series: Series): string {
  const at = placer(plot);
  const visible = series.points.filter(({ y }) => Number.isFinite(y) && (!plot.y.log || y > 0));
  if (visible.length === 0) return "";
  const places = visible.map(({ x, y }) => `${px(at.x(x))} ${px(at.y(y))}`);
  const path = element("path", { d: `M${places.join("L")}`, fill: "none", ...strokeOf(series) });
  const marked = series.marks || visible.length === 1;
  const marks = marked
    ? visible.map(({ x, y }) =>
      element("circle", { cx: at.x(x), cy: at.y(y), r: 2.6, fill: series.colour })
    )
    : [];
  return path + marks.join("");
}
