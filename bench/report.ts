/**
 * Measurements as lines for programs, as a table for people, as a file, and beside an earlier file.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import { formatTable } from "../support/terminal.ts";
import type { Measurement, Outcome } from "./measure.ts";

/** A run that was kept. */
export interface SavedRun {
  readonly adapter: string;
  /** ISO date and time. */
  readonly date: string;
  /** Versions of runtime and system. */
  readonly runtime: string;
  readonly measurements: readonly Measurement[];
}

/** A measurement beside an earlier one. */
export interface Comparison {
  readonly case: string;
  readonly unit: string;
  readonly before: number;
  readonly now: number;
  /** How many times faster (above 1) or slower (below) it is now. */
  readonly speedup: number;
  /** The same by shares of the adapters' limits, which takes out a faster or busier machine. */
  readonly speedupOfShare: number | null;
}

/** Whether a case was measured. */
export function isMeasurement(outcome: Outcome): outcome is Measurement {
  return "value" in outcome;
}

const round = (value: number) => Number(value.toPrecision(4));

/** One JSON line, with the fields that peers' lines have. */
export function jsonLine(outcome: Outcome, adapter: string): string {
  if (!isMeasurement(outcome)) return JSON.stringify({ lib: "diffract", ...outcome, adapter });
  const { case: name, value, unit, ofCeiling, best, ms, ofLeast } = outcome;
  return JSON.stringify({
    lib: "diffract",
    case: name,
    value: round(value),
    unit,
    ofCeiling: ofCeiling === null ? null : round(ofCeiling),
    adapter,
    ...(best === undefined ? {} : { best: round(best) }),
    ...(ms === undefined ? {} : { ms: round(ms) }),
    ...(ofLeast === undefined ? {} : { ofLeast: round(ofLeast) }),
  });
}

/** All outcomes as a table; failures follow as lines. */
export function measurementTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.filter(isMeasurement).map((m) => [
    m.case,
    round(m.value),
    m.best === undefined ? "" : round(m.best),
    m.unit,
    m.ms === undefined ? "" : round(m.ms),
    m.ofCeiling === null ? "" : `${(100 * m.ofCeiling).toFixed(1)} %`,
    m.ofLeast === undefined ? "" : m.ofLeast.toFixed(2),
  ]);
  const failures = outcomes.flatMap((outcome) =>
    isMeasurement(outcome) ? [] : [`${outcome.case}: ${outcome.error}`]
  );
  const limits = ["of the ceiling", "bytes of the least"];
  const head = ["case", "median", "best", "unit", "ms a call", ...limits];
  return [formatTable(head, rows), ...failures].join("\n");
}

/** Each measurement that an earlier run has too, beside that. */
export function compareRuns(
  before: readonly Measurement[],
  now: readonly Measurement[],
): Comparison[] {
  return now.flatMap((after) => {
    const earlier = before.find((m) => m.case === after.case && m.unit === after.unit);
    if (!earlier) return [];
    const isRate = after.unit === "GFLOP/s" || after.unit === "GB/s";
    const ratio = after.value / earlier.value;
    const shares = after.ofCeiling !== null && earlier.ofCeiling !== null
      ? after.ofCeiling / earlier.ofCeiling
      : null;
    return [{
      case: after.case,
      unit: after.unit,
      before: earlier.value,
      now: after.value,
      speedup: isRate ? ratio : 1 / ratio,
      speedupOfShare: shares,
    }];
  });
}

/** Comparisons as a table. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map((c) => [
    c.case,
    round(c.before),
    round(c.now),
    c.unit,
    c.speedup.toFixed(2),
    c.speedupOfShare === null ? "" : c.speedupOfShare.toFixed(2),
  ]);
  return formatTable(["case", "before", "now", "unit", "times faster", "by shares"], rows);
}

/** The text of a kept run. */
export function formatRun(run: SavedRun): string {
  return `${JSON.stringify(run, null, 2)}\n`;
}

/**
 * Reads a kept run.
 *
 * @throws {UsageError} When the text is none.
 */
export function parseRun(text: string, path: string): SavedRun {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`Cannot read ${path}: it must be JSON, ${cause}`, { cause });
  }
  const run = value as Partial<SavedRun> | null;
  const isNumber = (n: unknown) => n === null || typeof n === "number";
  const complete = Array.isArray(run?.measurements) &&
    run.measurements.every((m) =>
      typeof m?.case === "string" && typeof m.unit === "string" && typeof m.value === "number" &&
      isNumber(m.ofCeiling)
    );
  if (!complete || typeof run?.adapter !== "string" || typeof run.date !== "string") {
    throw new UsageError(
      `Cannot read ${path}: it must be a run kept by bench --save, with its measurements`,
    );
  }
  return { runtime: "", ...run } as SavedRun;
}
