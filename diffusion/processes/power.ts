/**
 * Noise of a power law (Scimeca et al. 2025, arXiv 2510.09660, "Spectrally anisotropic Gaussian diffusion"):
 *
 *     s_t(k)^2 = noise_t^2 w(k),    w(k) = |k|^power, normalised to mean 1 over the plane
 *
 * A power below 0 is noise of low frequencies (-1 pink, -2 red), above 0 of high ones (1 blue); 0 is ddpm,
 * by way of the transform. Our reading: the mean, |k| = 0, takes the weight of |k| = 1.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { meanOne } from "../bands.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

const OPTIONS = {
  power: option(decimal({ min: -4, max: 4 }), -1, "power: exponent of |k| in the noise's power"),
};

/** See the module. */
export const POWER = {
  description: "noise of a power law",
  options: OPTIONS,
  transform: "fourier",
  on({ power }, { bands }) {
    const weights = meanOne(bands, (band) => Math.max(1, bands.radii[band]!) ** power);
    return { damping: ONE, colour: (_, band) => Math.sqrt(weights[band]!) };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;
