/**
 * What a figure of a report is, and what figures share.
 *
 * @module
 */
import type { Method } from "../read_run.ts";
import type { ChartPoint, Series } from "./line_chart.ts";
import { type Drawing, paletteColour, paletteDash } from "./svg.ts";

/** A figure. */
export interface Figure {
  /** Its file's name. */
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly drawing: Drawing;
}

/** Panels side by side in small multiples. */
export const COLUMNS = 2;

/** How lines of several runs are to be read. */
export const SEEDS = "Lines are means over seeds, shades their range.";

/** A line a method, of those that have points. */
export function seriesOf(
  methods: readonly Method[],
  points: (method: Method) => ChartPoint[],
  more: Partial<Series> = {},
): Series[] {
  return methods.flatMap((method, i) => {
    const list = points(method);
    if (list.length === 0) return [];
    const look = { colour: paletteColour(i), dash: paletteDash(i) };
    return [{ label: method.name, ...look, points: list, ...more }];
  });
}
