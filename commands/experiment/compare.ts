/**
 * What an experiment found: each method against the first at the same seeds. Between seeds the
 * differences are judged by Student's t; within a seed samples are resampled, the same ones in both
 * methods, as they come from the same x_T.
 *
 * @module
 */
import type { SpectralReference } from "../../metrics/instruments/spectra.ts";
import {
  type Estimate,
  estimate,
  percentileInterval,
  resample,
  smallestEffect,
} from "../../metrics/numerics/statistics.ts";
import {
  estimateOf,
  formatEstimate,
  formatNumber,
  pairedDifferences,
  QUANTITIES,
  type Quantity,
} from "../../run_log/quantities.ts";
import type { Method } from "../../run_log/read_run.ts";

/** Resamplings of the bootstrap. */
const ROUNDS = 500;

/** Quantities of samples, which are resampled. */
const OF_SAMPLES = ["distance", "highBandError", "highBandBias", "exponent"] as const;

/** An interval within one seed. */
export interface SeedInterval {
  readonly seed: number;
  readonly low: number;
  readonly high: number;
}

/** A method's difference from the first in one number. */
export interface Comparison {
  readonly method: string;
  readonly quantity: string;
  /** Over seeds. */
  readonly difference: Estimate;
  /** The smallest difference that so many seeds with this spread would have shown. */
  readonly smallest: number | null;
  /** 95 % intervals within each seed; empty where samples are not resampled. */
  readonly within: readonly SeedInterval[];
}

/** Powers of a run's samples, `[count, rings]`. */
export type PowersOf = (method: string, seed: number) => Float64Array | undefined;

/** Compares every method with the first. */
export function compareMethods(
  methods: readonly Method[],
  reference: SpectralReference,
  powersOf: PowersOf,
): Comparison[] {
  const [base, ...others] = methods;
  if (!base) return [];
  return others.flatMap((method) => {
    const within = withinSeeds(method, base, reference, powersOf);
    return QUANTITIES.flatMap((quantity) => {
      const difference = estimate(pairedDifferences(method, base, quantity));
      if (!difference) return [];
      return [{
        method: method.name,
        quantity: quantity.key,
        difference,
        smallest: smallestEffect(difference),
        within: within.get(quantity.key) ?? [],
      }];
    });
  });
}

/** Intervals of a pair's differences within each seed that both have, by quantity. */
function withinSeeds(
  method: Method,
  base: Method,
  reference: SpectralReference,
  powersOf: PowersOf,
): Map<string, SeedInterval[]> {
  const found = new Map<string, SeedInterval[]>(OF_SAMPLES.map((key) => [key, []]));
  const rings = reference.data.power.length;
  for (const { seed } of method.runs) {
    const own = powersOf(method.name, seed), theirs = powersOf(base.name, seed);
    if (!own || !theirs || own.length !== theirs.length) continue;
    const options = { count: own.length / rings, rounds: ROUNDS, seed };
    const pairs = resample(options, (indices) => ({
      own: reference.compare(chosen(own, indices, rings)),
      theirs: reference.compare(chosen(theirs, indices, rings)),
    }));
    for (const key of OF_SAMPLES) {
      const differences = pairs.map(({ own, theirs }) => own[key] - theirs[key]);
      found.get(key)!.push({ seed, ...percentileInterval(differences) });
    }
  }
  return found;
}

function chosen(powers: Float64Array, indices: Uint32Array, rings: number): Float64Array {
  const result = new Float64Array(powers.length);
  indices.forEach((from, to) =>
    result.set(powers.subarray(from * rings, (from + 1) * rings), to * rings)
  );
  return result;
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
    head: ["method", "number", "difference", "could have seen", "within seeds (bootstrap)"],
    rows: comparisons.map(({ method, quantity, difference, smallest, within }) => [
      method,
      labels.get(quantity) ?? quantity,
      formatEstimate(difference),
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
