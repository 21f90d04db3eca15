/**
 * Differences between methods as an experiment finds them, and its tables.
 *
 * @module
 */
import type { Estimate } from "../metrics/numerics/statistics.ts";
import {
  estimateOf,
  formatEstimate,
  formatNumber,
  formatProbability,
  QUANTITIES,
  type Quantity,
} from "./quantities.ts";
import type { Method } from "./read_run.ts";

/** An interval within one seed. */
export interface SeedInterval {
  readonly seed: number;
  readonly low: number;
  readonly high: number;
}

/** A method's difference from another in one number. */
export interface Comparison {
  readonly method: string;
  /** The method that it is compared with; the first in tables of earlier versions. */
  readonly base?: string;
  readonly quantity: string;
  /** Over seeds. */
  readonly difference: Estimate;
  /**
   * Probability of so large a difference by chance, by Student's t over seeds, and the same corrected
   * for all comparisons (Holm 1979); null of one seed, missing in tables of earlier versions.
   */
  readonly p?: number | null;
  readonly corrected?: number | null;
  /** The smallest difference that so many seeds with this spread would have shown. */
  readonly smallest: number | null;
  /** 95 % intervals within each seed; empty where samples are not resampled. */
  readonly within: readonly SeedInterval[];
}

/** Heads and rows of a table. */
export interface TableText {
  readonly head: string[];
  readonly rows: string[][];
}

/** Means over seeds: a row a method. */
export function meansTable(methods: readonly Method[]): TableText {
  const shown = QUANTITIES.filter((quantity) =>
    methods.some((method) => estimateOf(method, quantity) !== null)
  );
  return {
    head: ["method", "seeds", ...shown.map(({ label }) => label)],
    rows: methods.map((method) => [
      method.name,
      `${method.runs.length}`,
      ...shown.map((quantity) => formatEstimate(estimateOf(method, quantity))),
    ]),
  };
}

/** Paired differences from the first method: a row a method and number. */
export function differencesTable(comparisons: readonly Comparison[]): TableText {
  const labels = new Map(QUANTITIES.map(({ key, label }: Quantity) => [key, label]));
  return {
    head: [
      ...["method", "number", "difference", "p", "p (Holm)", "could have seen"],
      "within seeds (bootstrap)",
    ],
    rows: comparisons.map((
      { method, quantity, difference, p = null, corrected = null, smallest, within },
    ) => [
      method,
      labels.get(quantity) ?? quantity,
      formatEstimate(difference),
      formatProbability(p),
      formatProbability(corrected),
      smallest === null ? "–" : formatNumber(smallest, 2),
      within.map(({ low, high }) => `[${formatNumber(low, 2)}, ${formatNumber(high, 2)}]`).join(
        " ",
      ) ||
      "–",
    ]),
  };
}

/** A table in Markdown. */
export function markdownTable({ head, rows }: TableText): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
