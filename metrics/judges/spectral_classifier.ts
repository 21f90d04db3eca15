/**
 * Whether a logistic regression tells generated images from real ones by their power spectra, on all
 * rings and on each octave alone (Falck et al. 2025, arXiv 2505.11278, where it tells in which band a
 * process fails). Features are log powers of rings; 0.5 is chance.
 *
 * @module
 */
import { octaveOf } from "../../diffusion/frequency.ts";
import { type HeldOutAccuracy, heldOutAccuracy } from "../numerics/logistic.ts";
import { ROUNDING_POWER } from "../numerics/radial_spectrum.ts";
import { rounded } from "../numerics/rounded.ts";

/** Images of each side that are looked at, at most. */
const MOST = 2048;

/** How well spectra are told apart. */
export type SpectralClassifier = {
  readonly whole: HeldOutAccuracy;
  /** By octave of |k|; `from` is its lower bound. */
  readonly bands: (HeldOutAccuracy & { readonly from: number })[];
};

/**
 * Tells spectra apart; null where a side has fewer than ten images.
 *
 * @param real Powers `[count, rings]` of rings |k| = 1, 2, ...
 * @param generated The same of generated images.
 */
export function spectralClassifier(
  real: Float64Array,
  generated: Float64Array,
  rings: number,
): SpectralClassifier | null {
  const counts = [real, generated].map(({ length }) => length / rings);
  if (Math.min(...counts) < 10) return null;
  const accuracy = (from: number, to: number): HeldOutAccuracy => {
    const width = to - from;
    const [a, b] = [real, generated].map((powers) => {
      const all = powers.length / rings, count = Math.min(all, MOST);
      const values = Float64Array.from({ length: count * width }, (_, i) => {
        const image = Math.floor(Math.floor(i / width) * all / count);
        return Math.log(powers[image * rings + from + i % width]! + ROUNDING_POWER);
      });
      return { values, count };
    });
    const { accuracy, halfWidth, count } = heldOutAccuracy(a!, b!, width);
    return { accuracy: rounded(accuracy), halfWidth: rounded(halfWidth), count };
  };
  const octaves = Map.groupBy(Array.from({ length: rings }, (_, i) => i), (i) => octaveOf(i + 1));
  return {
    whole: accuracy(0, rings),
    bands: [...octaves.values()].map((own) => ({
      from: own[0]! + 1,
      ...accuracy(own[0]!, own.at(-1)! + 1),
    })),
  };
}
