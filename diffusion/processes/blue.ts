/**
 * Noise whose colour changes with t, from blue near the image to white (Huang et al. 2024, arXiv 2402.04930,
 * "Blue noise for diffusion models"): e_t = gamma_t e + (1 - gamma_t) L e with L e blue noise of variance 1, so
 *
 *     c_t(k) = gamma_t + (1 - gamma_t) sqrt(b(k)),    gamma_t = (g(u) - g(0)) / (g(1) - g(0)),
 *     g(u) = 1 / (1 + exp(-(from + u (to - from)) / tau)),    u = (t + 1) / T
 *
 * with from, to = blueFrom, blueTo and tau = blueTau (the authors' sigmoid scheduler).
 *
 * Our reading: theirs is the covariance of masks made by annealing. Here b(k) is proportional to
 * max(|k|, floor K)^bluePower, K the largest |k|, normalised to mean 1 over the plane: blue noise in the usual
 * sense, power rising with frequency, and a floor so that the mean is not free of noise. Theirs predict two
 * quantities, of which the other is the change of colour; here the coefficients of a step hold that change.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { meanOne } from "../bands.ts";
import { FLOOR } from "./mask.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

const OPTIONS = {
  floor: FLOOR,
  bluePower: option(decimal({ min: 0, max: 4 }), 1, "blue: exponent of |k| in its power"),
  blueFrom: option(decimal(), 0, "blue: where on the sigmoid white noise begins to be mixed in"),
  blueTo: option(decimal(), 3, "blue: where on the sigmoid all is white; above blueFrom"),
  blueTau: option(decimal({ above: 0 }), 0.9, "blue: temperature of the sigmoid"),
};

/** See the module. */
export const BLUE = {
  description: "noise that is blue near the image and white far from it",
  options: OPTIONS,
  transform: "fourier",
  on({ floor, bluePower, blueFrom, blueTo, blueTau }, { bands, schedule: { timesteps } }) {
    if (!(blueTo > blueFrom)) {
      throw new RangeError(
        `Cannot make process blue: blueTo must be above blueFrom, ${blueFrom}, got ${blueTo}`,
      );
    }
    const least = floor * bands.radii.at(-1)!;
    const blue = meanOne(bands, (band) => Math.max(bands.radii[band]!, least) ** bluePower);
    const sigmoid = (u: number) =>
      1 / (1 + Math.exp(-(blueFrom + u * (blueTo - blueFrom)) / blueTau));
    const from = sigmoid(0), span = sigmoid(1) - from;
    return {
      damping: ONE,
      colour(row, band) {
        const white = (sigmoid((row + 1) / timesteps) - from) / span;
        return white + (1 - white) * Math.sqrt(blue[band]!);
      },
    };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;
