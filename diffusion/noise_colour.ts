/**
 * Coloured noise of sampling steps (Davidson, Issachar and Benaim 2026, arXiv 2605.30332, "CNS"): the noise
 * that a step adds goes to frequencies that are not resolved yet, its energy staying the same,
 *
 *     z' = F^-1 [b(k, t) F z],    b^2 proportional to (1 - strength g(k, t))^power,  mean of b^2 = scale^2
 *
 * where g(k, t) tells how far the frequency is at a level: of images made without noise,
 *
 *     g(k, t) = 1 - |F x0_t - F x_0|^2 / |F x_0|^2
 *
 * with x0_t the clean image predicted there and x_0 what it ends as, kept from 0 to 1 (algorithms 1 and 2).
 * `strength` is the inverse of the authors' divisor of g. They measure g once for a network and store
 * it; here it is measured before samples are drawn, from a few images by DDIM without noise, so that it
 * is of the very weights and guidance. Our reading: sums are taken over rings of width 1, images and channels
 * before they are divided; between levels g is interpolated in log sigma; where nothing is left to resolve
 * the noise stays white; the authors' tilt of the spectrum is left out.
 *
 * @module
 */
import { decimal, integer, option, type OptionsOf } from "../support/options.ts";
import { isEvaluation, type Move, type NoiseColour } from "./moves.ts";
import { sigmaOf } from "./spacing.ts";
import type { NoiseLevel } from "./schedule.ts";

/** The options of all samplers. */
export const COLOUR = {
  colour: option(
    decimal({ min: 0, max: 1 }),
    0,
    "How much of a step's noise goes to frequencies that are not resolved yet; 0 = white noise",
  ),
  colourPower: option(
    decimal({ min: 0 }),
    1,
    "Exponent of what is left to resolve, in the power of coloured noise",
  ),
  colourScale: option(decimal({ min: 0 }), 1, "Deviation of coloured noise over that of white"),
  colourImages: option(integer({ min: 1 }), 32, "Images that tell what is resolved at each level"),
};

type Settings = OptionsOf<typeof COLOUR>;

/**
 * The moves with coloured noise.
 *
 * @throws {RangeError} If it is asked for and no step draws noise.
 */
export function coloured(
  moves: readonly Move[],
  { colour: strength, colourPower: power, colourScale: scale, colourImages: images }: Settings,
): Move[] {
  if (strength === 0) return [...moves];
  const draws = (move: Move) => isEvaluation(move) && move.noise !== 0;
  if (!moves.some(draws)) {
    throw new RangeError(
      "Cannot colour noise: the sampler's steps must draw some; take ddpm, ancestral or ddim with eta " +
        "above 0, or colour 0",
    );
  }
  const colour: NoiseColour = { strength, power, scale, images };
  return moves.map((move) => draws(move) ? { ...move, colour } : move);
}

/** What is resolved at a level: g of each ring. */
export interface Resolved {
  readonly level: NoiseLevel;
  readonly rings: ArrayLike<number>;
}

/** What is resolved at a level, from levels that descend in noise; the nearest beyond their ends. */
export function resolvedAt(known: readonly Resolved[], level: NoiseLevel): number[] {
  const place = (at: NoiseLevel) => Math.log(sigmaOf(at));
  const target = place(level);
  const after = known.findIndex(({ level }) => place(level) <= target);
  if (after === 0 || after < 0) return Array.from(known.at(after)!.rings);
  const [from, to] = [known[after - 1]!, known[after]!];
  const high = place(from.level), low = place(to.level);
  // A level without signal is infinitely far from the others.
  const share = high === Infinity || high === low ? 1 : (high - target) / (high - low);
  return Array.from(from.rings, (value, r) => value + share * (to.rings[r]! - value));
}

/** Least mean of what is left to resolve that tells anything. */
const LEAST_LEFT = 1e-6;

/**
 * The factor b of each point of a plane's transform.
 *
 * @param rings g of each ring.
 * @param index The ring of each point.
 */
export function colourFactors(
  { strength, power, scale }: NoiseColour,
  rings: readonly number[],
  index: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  const left = rings.map((g) => Math.max(0, 1 - strength * g) ** power);
  const powers = Float64Array.from(index, (ring) => left[ring]!);
  const mean = powers.reduce((sum, value) => sum + value, 0) / powers.length;
  return Float32Array.from(
    powers,
    (value) => mean < LEAST_LEFT ? scale : scale * Math.sqrt(value / mean),
  );
}
