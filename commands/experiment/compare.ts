/**
 * What an experiment found: each method against another at the same seeds. Between seeds the
 * differences are judged by Student's t; within a seed samples are resampled, the same ones in both
 * methods, as they come from the same x_T.
 *
 * @module
 */
import type { SpectralReference } from "../../metrics/instruments/spectra.ts";
import {
  estimate,
  holm,
  pairedProbability,
  percentileInterval,
  resample,
  smallestEffect,
} from "../../metrics/numerics/statistics.ts";
import type { Comparison, SeedInterval } from "../../run_log/comparisons.ts";
import { pairedDifferences, QUANTITIES } from "../../run_log/quantities.ts";
import type { Method } from "../../run_log/read_run.ts";

/** Resamplings of the bootstrap. */
const ROUNDS = 500;

/** Quantities of samples, which are resampled. */
const OF_SAMPLES = [
  "distance",
  "highBandError",
  "highBandBias",
  "exponent",
  "psdError",
  "highBandRatio",
] as const;

/** What methods are compared by. */
export interface Compared {
  /** The method that another is compared with; its own name where it is compared with none. */
  readonly baseOf: (method: string) => string;
  /** Spectra of the data of a method. */
  readonly referenceOf: (method: string) => SpectralReference;
  /** Powers of a run's samples, `[count, rings]`. */
  readonly powersOf: (method: string, seed: number) => Float64Array | undefined;
}

/** Compares methods, each with its base; Holm's correction is over all numbers of all methods. */
export function compareMethods(methods: readonly Method[], by: Compared): Comparison[] {
  const found = methods.flatMap((method) => {
    const base = methods.find(({ name }) => name === by.baseOf(method.name));
    if (!base || base === method) return [];
    const within = withinSeeds(method, base, by);
    return QUANTITIES.flatMap((quantity): Comparison[] => {
      const difference = estimate(pairedDifferences(method, base, quantity));
      if (!difference) return [];
      return [{
        method: method.name,
        base: base.name,
        quantity: quantity.key,
        difference,
        p: pairedProbability(difference),
        smallest: smallestEffect(difference),
        within: within.get(quantity.key) ?? [],
      }];
    });
  });
  const corrected = holm(found.map(({ p }) => p ?? null));
  return found.map((each, i) => ({ ...each, corrected: corrected[i]! }));
}

/** Intervals of a pair's differences within each seed that both have, by quantity. */
function withinSeeds(
  method: Method,
  base: Method,
  { referenceOf, powersOf }: Compared,
): Map<string, SeedInterval[]> {
  const found = new Map<string, SeedInterval[]>(OF_SAMPLES.map((key) => [key, []]));
  const reference = referenceOf(method.name), rings = reference.data.power.length;
  for (const { seed } of method.runs) {
    const own = powersOf(method.name, seed), theirs = powersOf(base.name, seed);
    if (!own || !theirs || own.length !== theirs.length) continue;
    const options = { count: own.length / rings, rounds: ROUNDS, seed };
    const pairs = resample(options, (indices) => ({
      own: reference.compare(chosen(own, indices, rings)),
      theirs: reference.compare(chosen(theirs, indices, rings)),
    }));
    for (const key of OF_SAMPLES) {
      const differences = pairs.map(({ own, theirs }) => (own[key] ?? 0) - (theirs[key] ?? 0));
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
