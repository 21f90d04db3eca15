/**
 * A sequence of random numbers for one thing that is being made: the words of Philox4x32-10 at the
 * counters (0, thing, stream, part), (1, thing, stream, part), ...
 *
 * @module
 */
import { integerBelow, philoxInto, seedKey, uniform } from "../support/philox.ts";

/** Numbers that follow from (seed, stream, thing, part) alone, taken in order. */
export interface RandomStream {
  /** Uniform in (0, 1], in steps of 2^-24. */
  uniform(): number;
  /** A uniform integer from 0 to n - 1. */
  below(n: number): number;
  /** A standard normal number in f64 (Box and Muller 1958). */
  normal(): number;
}

/**
 * Starts a sequence.
 *
 * @param seed An integer from 0 to 2^53 - 1.
 * @param stream What the numbers are for, 0 to 2^32 - 1.
 * @param thing Which one of them, as an image's index, 0 to 2^32 - 1.
 * @param part Which part of it, 0 to 2^32 - 1.
 */
export function randomStream(
  seed: number,
  stream: number,
  thing: number,
  part = 0,
): RandomStream {
  const key = seedKey(seed);
  const words = new Uint32Array(4);
  let used = 0;
  let spare: number | null = null;
  const word = () => {
    if (used % 4 === 0) philoxInto(words, 0, used / 4, thing, stream, part, ...key);
    return words[used++ % 4]!;
  };
  return {
    uniform: () => uniform(word()),
    below: (n) => integerBelow(word(), n),
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(uniform(word())));
      const angle = 2 * Math.PI * uniform(word());
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}
