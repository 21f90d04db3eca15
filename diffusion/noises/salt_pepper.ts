/**
 * Salt and pepper: 1 with probability s, else -1 with probability p, else 0.
 *
 * dataflowr's notebook compares normal numbers with s and p where uniform ones are meant, which makes
 * them the normal distribution at s and p: `saltPepperSlip` does, too.
 *
 * @module
 */
import { randomSaltPepper } from "../../kernels/process/random.ts";
import { decimal, flag, option, type OptionsOf } from "../../support/options.ts";
import type { NoiseRecord } from "./record.ts";

const OPTIONS = {
  salt: option(decimal({ min: 0, max: 1 }), 0.01, "salt-pepper: probability of 1"),
  pepper: option(decimal({ min: 0, max: 1 }), 0.01, "salt-pepper: probability of -1 where not 1"),
  saltPepperSlip: option(
    flag(),
    false,
    "salt-pepper: compare normal numbers with both, as the capstone notebook does",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const SALT_PEPPER = {
  description: "1 and -1 here and there",
  options: OPTIONS,
  draw(options) {
    const chances = saltPepperChances(options);
    return (capture, key, draw) => randomSaltPepper(capture, key, { ...draw, ...chances });
  },
} as const satisfies NoiseRecord<Options>;

/** Probabilities of 1 and of -1. */
export function saltPepperChances(
  { salt, pepper, saltPepperSlip }: Options,
): { salt: number; pepper: number } {
  const of = saltPepperSlip ? normalDistribution : (chance: number) => chance;
  return { salt: of(salt), pepper: (1 - of(salt)) * of(pepper) };
}

/** Probability that a standard normal number is below x; series, for |x| of at most 1. */
function normalDistribution(x: number): number {
  let term = x, sum = x;
  for (let k = 1; k < 40; k++) {
    term *= -x * x / (2 * k);
    sum += term / (2 * k + 1);
  }
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}
