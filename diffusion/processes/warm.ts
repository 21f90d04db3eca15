/**
 * Blur in proportion to the noise (Hsueh et al. 2025, arXiv 2511.16904, "Warm diffusion"): with the noise on
 * top of the image of deviation sigma_t = noise_t / signal_t, as in Karras et al. 2022, the blur has the
 * width blurToNoise sigma_t,
 *
 *     d_t(k) = (1 - blurFloor) exp(-lambda_k (blurToNoise sigma_t)^2 / 2) + blurFloor
 *
 * in the cosine transform, and the noise is white. 0.5 is the ratio that the paper finds best.
 *
 * Our reading: the width is in pixels; the floor is that of the process blur, so that no frequency is gone for
 * good. The paper's network has two outputs, for noise and blur; the parameterizations here have one.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { BLUR_FLOOR, blurred } from "./blur.ts";
import { type ForwardProcessRecord, ONE } from "./record.ts";

const OPTIONS = {
  blurFloor: BLUR_FLOOR,
  blurToNoise: option(
    decimal({ min: 0 }),
    0.5,
    "warm: width of the blur in pixels for a noise of deviation 1 on top of the image",
  ),
};

/** See the module. */
export const WARM = {
  description: "blur in proportion to the noise",
  options: OPTIONS,
  transform: "cosine",
  on({ blurFloor, blurToNoise }, { bands, schedule: { levels } }) {
    return {
      damping(row, band) {
        const { signal, noise } = levels[row]!;
        const damped = blurToNoise === 0 ? 1 : blurred(bands, band, blurToNoise * noise / signal);
        return (1 - blurFloor) * damped + blurFloor;
      },
      colour: ONE,
    };
  },
} as const satisfies ForwardProcessRecord<OptionsOf<typeof OPTIONS>>;
