/**
 * Noise of a band (Scimeca et al. 2025, arXiv 2510.09660, band-pass masks): its power is 1 where
 * bandFrom <= |k| / (n / 2) <= bandTo and `floor` elsewhere, normalised to mean 1 over the plane.
 *
 * Our reading: the floor keeps every frequency noisy, as the paper's theory asks for full support; without
 * it a process never destroys what lies outside, which sampling could not make.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { meanOne } from "../bands.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

const OPTIONS = {
  bandFrom: option(
    decimal({ min: 0 }),
    0.25,
    "mask: least |k| of full noise, as a share of the finest stripes along an axis",
  ),
  bandTo: option(decimal({ min: 0 }), 2, "mask: largest |k| of full noise; corners reach 1.42"),
  floor: option(decimal({ above: 0, max: 1 }), 0.1, "mask, blue: least power of the noise"),
};

/** See the module. */
export const MASK = {
  description: "noise of a band, with a floor elsewhere",
  options: OPTIONS,
  transform: "fourier",
  on({ bandFrom, bandTo, floor }, { bands }) {
    const finest = Math.min(bands.height, bands.width) / 2;
    const inside = (band: number) => {
      const share = bands.radii[band]! / finest;
      return bandFrom <= share && share <= bandTo;
    };
    if (!bands.radii.some((_, band) => inside(band))) {
      throw new RangeError(
        `Cannot make process mask: there must be frequencies from bandFrom to bandTo, got none from ` +
          `${bandFrom} to ${bandTo}`,
      );
    }
    const weights = meanOne(bands, (band) => inside(band) ? 1 : floor);
    return { damping: ONE, colour: (_, band) => Math.sqrt(weights[band]!) };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;

/** The option that the process blue has too. */
export const { floor: FLOOR } = OPTIONS;
