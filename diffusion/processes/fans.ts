/**
 * Noise by the importance of bands ("FANS - Frequency-Adaptive Noise Shaping for Diffusion Models", ICLR blog
 * posts 2026): the plane is cut into B rings of one width in |k|, b = 0 being the mean and what is near it, and
 *
 *     s_t(k)^2 = noise_t^2 w_b(t),    w_b(t) proportional to exp(beta g_b - gamma b / (B - 1) u),
 *     g_b = (p_b - mean of p) / deviation of p,    u = t / (T - 1)
 *
 * p_b being the share of the images' power in ring b. beta above 0 gives noise to the rings of much power, below
 * 0 to those of little; gamma takes it away from fine detail as t grows.
 *
 * Of the post only its beginning and the authors' notes were at hand. Our reading: p is about the mean image; the
 * sum of w over rings is 1 there, which leaves less noise than white noise has, here its mean over the plane is 1;
 * their sigmoid in place of u is left out. Steps of a sampler hold the change of colour.
 *
 * @module
 */
import { decimal, integer, option, type OptionsOf } from "../../support/options.ts";
import { type Bands, meanOverPoints } from "../bands.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

const OPTIONS = {
  fansBands: option(integer({ min: 2, max: 64 }), 5, "fans: rings"),
  fansBeta: option(
    decimal({ min: -4, max: 4 }),
    1,
    "fans: noise for rings of much power; below 0 for those of little",
  ),
  fansGamma: option(
    decimal({ min: -4, max: 4 }),
    1,
    "fans: how far noise leaves fine detail as t grows",
  ),
};

/** See the module. */
export const FANS = {
  description: "noise by the share of the images' power in a ring, and by t",
  options: OPTIONS,
  transform: "fourier",
  measures: true,
  on({ fansBands: count, fansBeta, fansGamma }, { bands, spectrum, schedule: { timesteps } }) {
    const ringOf = rings(bands, count), importance = importances(bands, spectrum!, ringOf, count);
    const raw = (row: number, band: number) => {
      const ring = ringOf(band), u = row / Math.max(1, timesteps - 1);
      return Math.exp(fansBeta * importance[ring]! - fansGamma * ring / (count - 1) * u);
    };
    const means = Array.from(
      { length: timesteps },
      (_, row) => meanOverPoints(bands, (band) => raw(row, band)),
    );
    return { damping: ONE, colour: (row, band) => Math.sqrt(raw(row, band) / means[row]!) };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;

/** The ring of a band. */
function rings({ radii }: Bands, count: number): (band: number) => number {
  const width = radii.at(-1)! / count;
  return (band) => Math.min(count - 1, Math.floor(radii[band]! / width));
}

/** g of each ring: 0 where all have the same power. */
function importances(
  { sizes }: Bands,
  spectrum: Float64Array,
  ringOf: (band: number) => number,
  count: number,
): number[] {
  const powers = new Float64Array(count);
  spectrum.forEach((power, band) => powers[ringOf(band)]! += power * sizes[band]!);
  const total = powers.reduce((sum, power) => sum + power, 0);
  const centred = Array.from(powers, (power) => power / total - 1 / count);
  const deviation = Math.sqrt(centred.reduce((sum, p) => sum + p * p, 0) / count);
  return centred.map((p) => deviation > 0 ? p / deviation : 0);
}
