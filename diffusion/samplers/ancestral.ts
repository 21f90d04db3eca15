/**
 * Ancestral sampling that skips (Ho et al. 2020, arXiv 2006.11239, algorithm 2, on the process that only
 * the visited levels form, as Nichol and Dhariwal 2021, arXiv 2102.09672, equation 19 have it): from one
 * level to the next x' = m + sigma z, with m = c1 x0 + c2 x the posterior mean (equation 7). The variance
 * is the run's, between the posterior's and that of the noise that is removed.
 *
 * The step to the clean image draws no noise.
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import { nextOf, type NumberedLevel, type Path, pathOf, type Stop } from "../path.ts";
import { LEAST_VARIANCE, type ReverseVariance } from "../posterior.ts";
import type { Process } from "../process.ts";
import { between } from "../schedule.ts";
import { evaluate } from "../shares.ts";
import { type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

/** See the module. */
export const ANCESTRAL = {
  description: "ancestral as ddpm, but may skip timesteps",
  steps: 100,
  options: SPACING,
  moves: (settings: SkippingSettings, process: Process) =>
    ancestralMoves(pathOf(process, settings), { variance: process.variance }),
} as const satisfies SamplerRecord;

/** How {@linkcode ancestralMoves} goes. */
export interface AncestralSettings {
  /**
   * The posterior's, that of the removed noise, what the network chooses between the two, one whose
   * logarithm it outputs, or one that it outputs itself.
   */
  readonly variance: ReverseVariance | "own";
  /** Whether the step to the clean image draws noise as well. */
  readonly noisyEnd?: boolean;
}

/** The steps along a path. */
export function ancestralMoves(
  path: Path,
  { variance, noisyEnd = false }: AncestralSettings,
): SamplerStep[] {
  return path.stops.map((stop, i) => {
    const next = nextOf(path, i);
    const { image, least, most } = posteriorOf(stop, next);
    const quiet = next.noise === 0 && !noisyEnd;
    const outcome = { to: next.level, image };
    if (quiet) return evaluate(path, stop, outcome);
    if (variance === "fixedlarge" || variance === "fixedsmall") {
      const noise = Math.sqrt(variance === "fixedlarge" ? most : least);
      return evaluate(path, stop, { ...outcome, noise });
    }
    return {
      ...evaluate(path, stop, { ...outcome, noise: 1 }),
      chosenVariance: variance === "own"
        ? "own"
        : variance === "learned"
        ? [-1, 1]
        : [Math.log(least), Math.log(most)],
    };
  });
}

/** The posterior of a step, and the bounds of the reverse variance. */
function posteriorOf(here: Stop, there: NumberedLevel) {
  const { keptPower, addedPower } = between(there, here);
  return {
    image: {
      x0: there.signal * addedPower / here.noisePower,
      x: Math.sqrt(keptPower) * there.noisePower / here.noisePower,
    },
    least: Math.max(LEAST_VARIANCE, addedPower * there.noisePower / here.noisePower),
    most: addedPower,
  };
}
