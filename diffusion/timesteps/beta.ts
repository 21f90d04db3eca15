/**
 * The share of the way from image to noise by a beta distribution, u^(a-1) (1-u)^(b-1): a above b for more
 * noise; both 1 is uniform. The exponents are those of pi0 (Black et al. 2024, arXiv 2410.24164, appendix B).
 * B-TTDM (Zheng et al. 2024, "Beta-Tuned Timestep Diffusion Model", ECCV) draws timesteps so, more of them
 * near the image, where the distribution of x_t changes most; of its exponents no source was at hand.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { fixedTimesteps } from "./fixed.ts";
import { CORRECTION, type TimestepRecord } from "./record.ts";

const OPTIONS = {
  ...CORRECTION,
  betaA: option(decimal({ above: 0 }), 1, "beta: first exponent; above betaB = more noise"),
  betaB: option(decimal({ above: 0 }), 1.5, "beta: second exponent"),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const BETA = {
  description: "more often at one end",
  options: OPTIONS,
  create: ({ gpu, schedule, options }) =>
    fixedTimesteps(gpu, betaDensity(schedule.timesteps, options), options.importanceCorrect),
} as const satisfies TimestepRecord<Options>;

/** Points a cell. */
const POINTS = 16;

/**
 * Probabilities [T]. With u = sin^2(a), du = 2 sin(a) cos(a) da, no exponent above 0 makes an end
 * infinite but in a cell's own width: the first and the last piece are integrated in closed form.
 */
export function betaDensity(
  timesteps: number,
  { betaA, betaB }: Pick<Options, "betaA" | "betaB">,
): Float64Array {
  const width = 1 / (POINTS * timesteps), last = POINTS * timesteps - 1;
  const piece = (i: number) => {
    const u = (i + 0.5) * width;
    if (i === 0) return width ** betaA / betaA * (1 - u) ** (betaB - 1);
    if (i === last) return width ** betaB / betaB * u ** (betaA - 1);
    return width * u ** (betaA - 1) * (1 - u) ** (betaB - 1);
  };
  const masses = Float64Array.from({ length: timesteps }, (_, t) => {
    let sum = 0;
    for (let i = 0; i < POINTS; i++) sum += piece(t * POINTS + i);
    return sum;
  });
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  return masses.map((mass) => mass / total);
}
