/**
 * Perception prioritized (Choi et al. 2022, arXiv 2204.00227, equation 8): (k + SNR)^-gamma times the
 * loss, which is meant for networks that output the noise.
 *
 * denoising-diffusion-flax reads k from gamma's key; `p2Slip` does, too.
 *
 * @module
 */
import { decimal, flag, option, type OptionsOf } from "../../support/options.ts";
import { snrOf, type WeightingRecord } from "../weighting.ts";

const OPTIONS = {
  p2Gamma: option(decimal({ min: 0 }), 1, "p2: exponent; 0 = every level alike"),
  p2K: option(decimal({ min: 0 }), 1, "p2: added to the SNR"),
  p2Slip: option(flag(), false, "p2: take p2Gamma for p2K, as denoising-diffusion-flax does"),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const P2 = {
  description: "levels of much noise, where content is decided, more",
  options: OPTIONS,
  weight: (level, _, { p2Gamma, p2K, p2Slip }) =>
    ((p2Slip ? p2Gamma : p2K) + snrOf(level)) ** -p2Gamma,
} as const satisfies WeightingRecord<Options>;
