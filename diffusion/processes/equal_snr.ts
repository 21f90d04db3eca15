/**
 * Noise of the data's own spectrum, so that all frequencies lose their signal at the same rate (Falck et al.
 * 2025, arXiv 2505.11278, "EqualSNR"):
 *
 *     s_t(k)^2 = noise_t^2 w(k),    w(k) proportional to C(k), normalised to mean 1 over the plane
 *
 * C is the variance of the training images' transform about their mean image. Our reading: it is averaged over
 * rings of width 1 in |k| and over channels, where the paper has one for each coefficient.
 *
 * @module
 */
import { meanOne } from "../bands.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

/** See the module. */
export const EQUAL_SNR = {
  description: "noise of the data's spectrum: the same SNR at all frequencies",
  options: {},
  transform: "fourier",
  measures: true,
  on(_: unknown, { bands, spectrum }) {
    const weights = meanOne(bands, (band) => spectrum![band]!);
    return { damping: ONE, colour: (_, band) => Math.sqrt(weights[band]!) };
  },
} as const satisfies ForwardProcessRecord<unknown>;
