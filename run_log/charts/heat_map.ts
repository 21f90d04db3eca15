/**
 * Heat maps with a number in each cell: what they show and how cells look. The report draws them
 * (heat_drawing.ts); the dashboard's page makes tables of them, which are read aloud cell by cell.
 *
 * @module
 */
import { brightness, colourAt, DIVERGING, SEQUENTIAL, shareOf, shortNumber } from "./colours.ts";

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

/** A cell without a value. */
const EMPTY = "#ececec";
const DARK = "#111111";

/** Range of the positive values of matrices. */
export function rangeOf(matrices: readonly HeatMap["values"][]): [number, number] {
  const values = matrices.flat(2).filter((value): value is number => value !== null && value > 0);
  if (values.length === 0) return [0.1, 1];
  return [Math.min(...values), Math.max(...values)];
}

/** How a cell looks; no text where nothing is known. */
export interface CellLook {
  readonly text: string;
  readonly fill: string;
  readonly ink: string;
}

/** A cell of a map. */
export function cellLook(
  { values, range, diverging }: HeatMap,
  row: number,
  column: number,
): CellLook {
  const value = values[row]?.[column] ?? null;
  const text = value === null ? "" : shortNumber(value);
  if (value === null || !(value > 0)) return { text, fill: EMPTY, ink: DARK };
  const fill = colourAt(diverging ? DIVERGING : SEQUENTIAL, shareOf(value, range));
  return { text, fill, ink: brightness(fill) > 0.5 ? DARK : "#ffffff" };
}

/** The noise loss by bin of timesteps and band of |k|. */
export function bandMapOf(
  title: string,
  { timesteps, labels, values }: {
    readonly timesteps: readonly number[];
    readonly labels: readonly string[];
    readonly values: HeatMap["values"];
  },
): HeatMap {
  const rows = timesteps.slice(0, -1).map((first, bin) => `${first}–${timesteps[bin + 1]! - 1}`);
  return {
    title,
    rowLabel: "timestep",
    columnLabel: "|k|",
    rows,
    columns: labels,
    values,
    range: rangeOf([values]),
  };
}
