/**
 * min(SNR, gamma) times the loss in the clean image (Hang et al. 2023, arXiv 2303.09556, equation 7).
 *
 * @module
 */
import { decimal, nullable, option, type OptionsOf } from "../../support/options.ts";
import { snrOf, type WeightingRecord } from "../weighting.ts";

const OPTIONS = {
  snrGamma: option(
    nullable(decimal({ above: 0 })),
    5,
    "min-snr: levels of less noise count no more than those of this SNR; null = no limit",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const MIN_SNR = {
  description: "the clean image by SNR, up to a limit",
  options: OPTIONS,
  weight: (level, { toX0 }, { snrGamma }) =>
    Math.min(snrOf(level), snrGamma ?? Infinity) * toX0.output ** 2,
} as const satisfies WeightingRecord<Options>;
