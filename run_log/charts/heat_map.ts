/**
 * Heat maps with a number in each cell.
 *
 * @module
 */
import { brightness, colourAt, DIVERGING, SEQUENTIAL, shareOf, shortNumber } from "./colours.ts";
import { FAINT } from "./shapes.ts";
import { type Drawing, element, text } from "./svg.ts";

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
