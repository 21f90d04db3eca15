/**
 * High frequencies keep their signal longest: the control of equal-snr (Falck et al. 2025, arXiv 2505.11278,
 * "FlippedSNR"), in which the i-th frequency has the SNR that ddpm gives to the i-th from the end,
 *
 *     s_t(k)^2 = noise_t^2 w(k),    w(k) proportional to C(k) / C(k'),
 *
 * k' being at the same place from the finest frequency as k is from the mean. Our reading: frequencies are
 * ordered by rings of width 1 in |k|, and w is normalised to mean 1 over the plane, as the paper's is not, so
 * that the network's input has the variance that it has in ddpm.
 *
 * The paper could not train it.
 *
 * @module
 */
import { meanOne } from "../bands.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

/** See the module. */
export const FLIPPED_SNR = {
  description: "equal-snr's control: the SNR of ddpm, with the order of frequencies turned round",
  options: {},
  transform: "fourier",
  measures: true,
  on(_: unknown, { bands, spectrum }) {
    const last = Math.round(bands.radii.at(-1)!);
    // The power of a ring: that of any band in it.
    const byRing = new Map(
      Array.from(bands.radii, (radius, band) => [Math.round(radius), spectrum![band]!]),
    );
    const flipped = (band: number) => byRing.get(last - Math.round(bands.radii[band]!))!;
    const weights = meanOne(bands, (band) => spectrum![band]! / flipped(band));
    return { damping: ONE, colour: (_, band) => Math.sqrt(weights[band]!) };
  },
} as const satisfies ForwardProcessRecord<unknown>;
