/**
 * The noise of a training batch: the distribution's own, and what may be done to it:
 *
 * - `offset`: e + s z, z one number a channel (Guttenberg 2023, "Diffusion with offset noise")
 * - `pyramid`: e + d up(z_1) + d^2 up(z_2) + ..., z_i of a side 2^i times smaller, drawn at random and
 *   made larger bilinearly, all scaled to variance 1 (Whitaker 2023, "Multi-resolution noise")
 * - `immiscible`: noise is given to images so that the sum of distances is least (Li et al. 2024, arXiv
 *   2406.12303), within what is computed at once
 * - `perturbation`: the network sees e + g z but is asked for e (Ning et al. 2023, arXiv 2301.11706)
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { TensorRef } from "../device/tensor.ts";
import { broadcast } from "../kernels/elementwise/broadcast.ts";
import { scaleForward } from "../kernels/elementwise/scale.ts";
import { resizeBilinearForward } from "../kernels/layout/resize_bilinear.ts";
import { leastDistances } from "../kernels/process/assignment.ts";
import { randomNormal } from "../kernels/process/random.ts";
import { definePointwise } from "../kernels/shared/pointwise.ts";
import { STREAMS } from "../support/random_streams.ts";
import type { NoiseOptions } from "./noises/registry.ts";
import type { DrawNoise } from "./noises/record.ts";

/** Noise of a batch. */
export interface TrainingNoise {
  /** What the network is asked about, e. */
  readonly noise: TensorRef;
  /** What is mixed into the images. */
  readonly mixed: TensorRef;
}

const addScaled = definePointwise({
  name: "addScaled",
  inputs: ["x", "more"],
  params: { factor: "f32" },
  result: "x + params.factor * more",
});

/** x + factor more, with `more` broadcast. */
export function plusNoise(
  capture: Capture,
  x: TensorRef,
  more: TensorRef,
  factor: number,
): TensorRef {
  return broadcast(capture, addScaled, { x, more }, { factor });
}

/**
 * Records the noise of images `x0`.
 *
 * @param key Of kernels/shared/philox.ts.
 */
export function trainingNoise(
  capture: Capture,
  key: TensorRef,
  x0: TensorRef,
  drawn: DrawNoise,
  options: NoiseOptions,
): TrainingNoise {
  const [samples = 0, ...shape] = x0.shape, channels = shape.at(-1)!;
  const normal = (shape: readonly number[], stream: number) =>
    randomNormal(capture, key, { samples, shape, stream });
  let noise = drawn(capture, key, { samples, shape, stream: STREAMS.noise });
  if (options.pyramid > 0) noise = withPyramid(capture, noise, options.pyramid, normal);
  if (options.offset > 0) {
    const offsets = normal([1, 1, channels], STREAMS.offsetNoise);
    noise = plusNoise(capture, noise, offsets, options.offset);
  }
  if (options.immiscible) noise = leastDistances(capture, x0, noise);
  const mixed = options.perturbation > 0
    ? plusNoise(capture, noise, normal(shape, STREAMS.perturbation), options.perturbation)
    : noise;
  return { noise, mixed };
}

/** Levels of a pyramid at most: streams are numbered. */
const MOST_LEVELS = 16;

function withPyramid(
  capture: Capture,
  noise: TensorRef,
  discount: number,
  normal: (shape: readonly number[], stream: number) => TensorRef,
): TensorRef {
  const [, height = 1, width = 1, channels = 1] = noise.shape;
  let power = 1;
  for (let level = 1; level < MOST_LEVELS; level++) {
    const [h, w] = [height, width].map((side) => Math.max(1, Math.floor(side / 2 ** level)));
    const small = normal([h!, w!, channels], STREAMS.firstPyramid + level);
    const large = resizeBilinearForward(capture, small, [height, width]);
    noise = plusNoise(capture, noise, large, discount ** level);
    power += discount ** (2 * level) * keptPower(h!, height) * keptPower(w!, width);
    if (h === 1 || w === 1) break;
  }
  return scaleForward(capture, noise, 1 / Math.sqrt(power));
}

/** Mean variance along an axis of noise of variance 1 that is made larger bilinearly. */
export function keptPower(from: number, to: number): number {
  let sum = 0;
  for (let i = 0; i < to; i++) {
    const place = Math.max(0, (i + 0.5) * from / to - 0.5), fraction = place - Math.floor(place);
    sum += Math.floor(place) + 1 < from ? (1 - fraction) ** 2 + fraction ** 2 : 1;
  }
  return sum / to;
}
