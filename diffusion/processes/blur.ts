/**
 * Blurring and noise (Hoogeboom and Salimans 2022, arXiv 2209.05557, section 4): the signal of the schedule,
 * damped as by heat, and its white noise,
 *
 *     d_t(k) = (1 - blurFloor) exp(-lambda_k tau_t) + blurFloor,    lambda_k = (2 pi |k| / n)^2,
 *     tau_t = sigma_t^2 / 2,    sigma_t = blurMax sin^2(pi u / 2),    u = (t + 1) / T
 *
 * in the cosine transform; sigma_t is the width of the blur in pixels.
 *
 * @module
 */
import { decimal, nullable, option, type OptionsOf } from "../../support/options.ts";
import { type Bands, eigenvalue } from "../bands.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

/** The widest blur. */
export const BLUR_MAX = option(
  nullable(decimal({ above: 0 })),
  null,
  "blur, heat: width of the blur at the end, in pixels; null = half of the shorter side for heat, " +
    "20 for blur",
);

/** What is left of every frequency. */
export const BLUR_FLOOR = option(
  decimal({ min: 0, below: 1 }),
  0.001,
  "blur, warm: least share of a frequency that is left, beside what the schedule leaves",
);

const OPTIONS = { blurMax: BLUR_MAX, blurFloor: BLUR_FLOOR };

/** Width of the blur in the paper's experiments, in pixels. */
const PAPERS_BLUR = 20;

/** exp(-lambda_k tau) of a blur of some width in pixels. */
export function blurred(bands: Bands, band: number, width: number): number {
  const value = eigenvalue(bands, bands.radii[band]!);
  // The mean stays however wide the blur, also an infinite one.
  return value === 0 ? 1 : Math.exp(-value * width ** 2 / 2);
}

/** See the module. */
export const BLUR = {
  description: "blur and white noise",
  options: OPTIONS,
  transform: "cosine",
  on({ blurMax, blurFloor }, { bands, schedule: { timesteps } }) {
    const most = blurMax ?? PAPERS_BLUR;
    return {
      damping(row, band) {
        const width = most * Math.sin(Math.PI * (row + 1) / timesteps / 2) ** 2;
        return (1 - blurFloor) * blurred(bands, band, width) + blurFloor;
      },
      colour: ONE,
    };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;
