/**
 * Heat dissipation (Rissanen, Heinonen and Solin 2022, arXiv 2206.13397): images are blurred, with a little
 * noise that stays as it is,
 *
 *     a_t(k) = exp(-lambda_k tau_t),    tau_t = sigma_t^2 / 2,    s_t(k) = heatNoise
 *
 * in the cosine transform, sigma_t rising geometrically from blurMin to blurMax pixels (section 4). The
 * schedule gives no more than the number of timesteps. Networks that predict the noise say nothing of what
 * is gone, so targets are x0, v or velocity; the paper's network predicts the image one step before.
 *
 * Our reading: the paper samples from blurred training images. Here sampling starts from a Gaussian of their
 * mean and spectrum, so that it needs no images. And the noise grows by 1 % over the way, as a step must add some
 * at every frequency for its reverse to be one; the mean, which no blur changes, would get none. Sampled by
 * `ancestral` or `ddpm` the reverse steps are the posterior's, by `ddim` with eta 0 they are deterministic; the
 * paper adds noise of deviation 1.25 heatNoise.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { BLUR_MAX, blurred } from "./blur.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

const OPTIONS = {
  blurMax: BLUR_MAX,
  blurMin: option(decimal({ above: 0 }), 0.5, "heat: width of the blur at timestep 0, in pixels"),
  heatNoise: option(decimal({ above: 0 }), 0.01, "heat: deviation of the noise"),
};

/** What is left of a frequency that is gone, far below what f32 adds up: schedules divide by it. */
const GONE = 1e-30;
/** Share by which the noise grows over the way. */
const GROWTH = 0.01;

/** See the module. */
export const HEAT = {
  description: "blur alone, with a little noise that stays",
  options: OPTIONS,
  transform: "cosine",
  measures: true,
  endsInImages: true,
  stiff: true,
  on({ blurMax, blurMin, heatNoise }, { bands, schedule: { timesteps } }) {
    const most = blurMax ?? Math.min(bands.height, bands.width) / 2;
    const width = (row: number) => blurMin * (most / blurMin) ** (row / (timesteps - 1));
    return {
      levels: Array.from({ length: timesteps }, (_, row) => ({
        signal: 1,
        noise: heatNoise * (1 + GROWTH * (row + 1) / timesteps),
      })),
      damping: (row, band) => Math.max(GONE, blurred(bands, band, width(row))),
      colour: ONE,
    };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;
