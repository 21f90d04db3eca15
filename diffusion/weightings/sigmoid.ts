/**
 * sigmoid(b - log SNR) times the loss in the noise (Kingma and Gao 2023, arXiv 2303.00848, section 4;
 * Hoogeboom et al. 2024, arXiv 2410.19324, section 3).
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { snrOf, type WeightingRecord } from "../weighting.ts";

const OPTIONS = {
  sigmoidBias: option(decimal(), 2, "sigmoid: log SNR at which the weight is 1/2"),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const SIGMOID_WEIGHTING = {
  description: "the noise, less where there is little of it",
  options: OPTIONS,
  weight: (level, { toNoise }, { sigmoidBias }) =>
    toNoise.output ** 2 / (1 + Math.exp(-sigmoidBias) * snrOf(level)),
} as const satisfies WeightingRecord<Options>;
