/**
 * Laplace's noise of density exp(-|x - loc| / b) / (2 b), whose variance is 2 b^2. The posterior of the
 * process is that of Gaussian noise all the same.
 *
 * @module
 */
import { randomLaplace } from "../../kernels/process/random.ts";
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import type { NoiseRecord } from "./record.ts";

const OPTIONS = {
  laplaceMean: option(decimal(), 0, "laplace: where it is centred"),
  laplaceScale: option(
    decimal({ above: 0 }),
    Math.SQRT1_2,
    "laplace: its scale b; sqrt(1/2) has variance 1",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const LAPLACE = {
  description: "Laplace's, with heavier tails",
  options: OPTIONS,
  draw: ({ laplaceMean: mean, laplaceScale: scale }) => (capture, key, draw) =>
    randomLaplace(capture, key, { ...draw, mean, scale }),
} as const satisfies NoiseRecord<Options>;

/** The value of a share u from -1 to 1, which the kernel draws as a sign and a magnitude. */
export function laplaceOf(u: number, mean: number, scale: number): number {
  return mean - scale * Math.sign(u) * Math.log1p(-Math.abs(u));
}

/** Log density. */
export function laplaceLogDensity(x: number, mean: number, scale: number): number {
  return -Math.log(2 * scale) - Math.abs(x - mean) / scale;
}
