/**
 * Heat maps with a number in each cell.
 *
 * @module
 */
import { type Drawing, element, FAINT, text } from "./svg.ts";

/** Dark to bright, even to the eye (viridis of matplotlib, eleven of its colours). */
const SEQUENTIAL = [
  "#440154",
  "#482475",
  "#414487",
  "#355f8d",
  "#2a788e",
  "#21918c",
  "#22a884",
  "#44bf70",
  "#7ad151",
  "#bddf26",
  "#fde725",
];
/** Blue over white to red, for ratios. */
const DIVERGING = ["#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"];

/** What a map shows. */
export interface HeatMap {
  readonly title: string;
  readonly rowLabel: string;
  readonly columnLabel: string;
  /** Labels of rows from the bottom up, as an axis has them. */
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** `[rows, columns]`; null where nothing is known. */
  readonly values: readonly (readonly (number | null)[])[];
  /** Values at the ends of the colours; colours are even in the logarithm. */
  readonly range: readonly [low: number, high: number];
  /** Whether the range's middle is white: for ratios around 1. */
  readonly diverging?: boolean;
}

const CELL = { width: 50, height: 21 };

/** Range of the positive values of matrices. */
export function rangeOf(matrices: readonly HeatMap["values"][]): [number, number] {
  const values = matrices.flat(2).filter((value): value is number => value !== null && value > 0);
  if (values.length === 0) return [0.1, 1];
  return [Math.min(...values), Math.max(...values)];
}

/** Draws a map. */
export function heatMap(map: HeatMap): Drawing {
  const { rows, columns, values, range } = map;
  const left = 74, top = 26;
  const width = left + columns.length * CELL.width + 8;
  const bottom = top + rows.length * CELL.height;
  const parts = [text(left, 14, map.title, { size: 13, bold: true })];
  rows.forEach((label, row) => {
    const y = bottom - (row + 1) * CELL.height;
    parts.push(text(left - 6, y + 15, label, { size: 10.5, anchor: "end", fill: FAINT }));
    columns.forEach((_, column) => {
      parts.push(cell(map, range, values[row]?.[column] ?? null, left + column * CELL.width, y));
    });
  });
  columns.forEach((label, column) => {
    const x = left + (column + 0.5) * CELL.width;
    parts.push(text(x, bottom + 15, label, { size: 10.5, anchor: "middle", fill: FAINT }));
  });
  const middle = left + columns.length * CELL.width / 2;
  parts.push(text(middle, bottom + 33, map.columnLabel, { anchor: "middle" }));
  parts.push(text(12, (top + bottom) / 2, map.rowLabel, { anchor: "middle", rotate: -90 }));
  return { width, height: bottom + 40, content: parts.join("") };
}

function cell(
  { diverging = false }: HeatMap,
  range: readonly [number, number],
  value: number | null,
  x: number,
  y: number,
): string {
  const fill = value === null || !(value > 0)
    ? "#ececec"
    : colourAt(diverging ? DIVERGING : SEQUENTIAL, shareOf(value, range));
  const box = element("rect", {
    ...{ x, y, fill, stroke: "#ffffff" },
    ...{ width: CELL.width, height: CELL.height },
  });
  if (value === null) return box;
  const ink = brightness(fill) > 0.5 ? "#111111" : "#ffffff";
  const label = shortNumber(value);
  return box + text(x + CELL.width / 2, y + 14.5, label, { size: 10, anchor: "middle", fill: ink });
}

/** Three characters or so: 0.031, 0.52, 3.1, 120, 2e4. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e4 || size < 1e-3) return value.toExponential(0).replace("e+", "e");
  return `${Number(value.toPrecision(2))}`;
}

function shareOf(value: number, [low, high]: readonly [number, number]): number {
  if (!(high > low)) return 0.5;
  return Math.min(1, Math.max(0, Math.log(value / low) / Math.log(high / low)));
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** The colour at a share of the way through a list. */
export function colourAt(list: readonly string[], share: number): string {
  const place = share * (list.length - 1), below = Math.min(Math.floor(place), list.length - 2);
  const from = channels(list[below]!), to = channels(list[below + 1]!);
  const mixed = from.map((value, i) => Math.round(value + (place - below) * (to[i]! - value)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** The `i`-th of `count` colours of a sequence, not so bright that it is lost on white. */
export function sequenceColour(i: number, count: number): string {
  return colourAt(SEQUENTIAL, count < 2 ? 0.3 : 0.88 * i / (count - 1));
}

function brightness(colour: string): number {
  const [r = 0, g = 0, b = 0] = channels(colour);
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}
