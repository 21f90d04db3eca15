/**
 * Spectral Forcing (Fan et al. 2026, arXiv 2606.15236, "Show the signal, hide the noise"): a network sees the
 * noisy image without the frequencies that noise hides,
 *
 *     x' = D^-1 [M_t D x],    M_t(r) = 1 / (1 + exp(-sharpness (c(t) - r))),    c(t) = least + (most - least) t
 *
 * where D is the orthonormal cosine transform, r how far a coefficient is from the mean, 1 being the farthest,
 * and t the time of a flow from the noise, 0, to the image, 1. What is noised, the target and the samplers stay
 * as they are: of the frequencies that it does not see, the network predicts what it can.
 *
 * Our reading: where levels are not a flow's, t = signal / (signal + noise), at which a flow has their SNR. The
 * axes of images that are not square count alike. Of the authors' code the windows are left out, which cut
 * parts of an image by themselves; as there, at t = 1 the farthest corner keeps a half.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { broadcast } from "../kernels/elementwise/broadcast.ts";
import { cosineTransform } from "../kernels/fft/dct.ts";
import { definePointwise } from "../kernels/shared/pointwise.ts";
import { type Check, decimal, flag, option, type OptionsOf, section } from "../support/options.ts";
import type { NoiseLevel } from "./schedule.ts";

const FIELDS = {
  on: option(flag(), false, "Cut the network's input"),
  sharpness: option(decimal({ above: 0 }), 30, "How sharp the cut is: larger = sharper"),
  least: option(decimal({ min: 0 }), 0.05, "Where it is in pure noise, 1 being the finest detail"),
  most: option(decimal({ min: 0 }), 1, "Where it is at the image"),
};

type Options = OptionsOf<typeof FIELDS>;

const cutMovesOut: Check<Options> = ({ on, least, most }, at) =>
  !on || least <= most ? null : { key: "most", rule: `be at least ${at("least")}, ${least}` };

/** Spectral Forcing in a config. */
export const SPECTRAL_FORCING = section(
  "Spectral Forcing: the network sees noisy images without the frequencies that noise hides",
  FIELDS,
  { checks: [cutMovesOut] },
);

/** Its options. */
export type ForcingOptions = Options;

/** What a process knows of it. */
export interface SpectralForcing {
  /** See the module. */
  readonly sharpness: number;
  /** c of a level. */
  cutoff(level: NoiseLevel): number;
}

/** What the options ask for, or null where that is nothing. */
export function spectralForcing(options: ForcingOptions | undefined): SpectralForcing | null {
  if (!options?.on) return null;
  const { sharpness, least, most } = options;
  return {
    sharpness,
    cutoff: ({ signal, noise }) => least + (most - least) * signal / (signal + noise),
  };
}

const softCut = definePointwise({
  name: "softCut",
  inputs: ["x", "cutoff", "radius"],
  params: { sharpness: "f32" },
  // Bounded: exp of more than 88 is infinite.
  result: "x / (1.0 + exp(min(params.sharpness * (radius - cutoff), V(80.0))))",
});

/** r of every coefficient, [height, width] row-major. */
export function cosineRadii(height: number, width: number): Float64Array {
  const share = (k: number, n: number) => n > 1 ? k / (n - 1) : 0;
  const radii = Float64Array.from(
    { length: height * width },
    (_, at) => Math.hypot(share(Math.floor(at / width), height), share(at % width, width)),
  );
  const farthest = radii.at(-1)! || 1;
  return radii.map((radius) => radius / farthest);
}

/**
 * Records the cut of images.
 *
 * @param x `[N, H, W, C]`
 * @param cutoffs c of each image, f32 `[N]`.
 */
export function forcedInput(
  capture: Capture,
  x: TensorRef,
  cutoffs: TensorRef,
  { sharpness }: SpectralForcing,
): TensorRef {
  const [samples = 0, height = 0, width = 0] = x.shape;
  const radius = capture.table(
    `cosine radii ${height} ${width}`,
    [1, height, width, 1],
    () => Float32Array.from(cosineRadii(height, width)),
  );
  const z = cosineTransform(capture, x, false);
  const cutoff = reshape(cutoffs, [samples, 1, 1, 1]);
  const cut = broadcast(capture, softCut, { x: z, cutoff, radius }, { sharpness });
  return cosineTransform(capture, cut, true);
}
