/**
 * Fills in what a person has wiped from an image, and walks from one seed to another: what the page asks
 * for, without the page.
 *
 * @module
 */
import { repaintMoves } from "../../../diffusion/inpainting.ts";
import { slerp } from "../../../diffusion/interpolation.ts";
import { levelOfMove } from "../../../diffusion/moves.ts";
import type { SamplerName, SamplerOptions } from "../../../diffusion/options.ts";
import { SAMPLER_NAMES, samplerMoves, SAMPLERS } from "../../../diffusion/samplers/registry.ts";
import { type DrawnStep, watchOf } from "./draw.ts";
import type { LoadedModel } from "./loaded_model.ts";

/** Samplers that do not look back at earlier steps, as inpainting takes steps again. */
export const FILLING_SAMPLERS: readonly SamplerName[] = [
  "ddim",
  "ddpm",
  "ancestral",
  "euler",
  "euler-ancestral",
];

/** Samplers that can draw no noise, so that an image is a function of the noise it starts from. */
export const WALKING_SAMPLERS: readonly SamplerName[] = SAMPLER_NAMES.filter((name) =>
  SAMPLERS[name].along !== undefined
);

/** What is to be filled in. */
export interface FillSettings {
  readonly sampler: SamplerOptions;
  /** `[h, w, c]` in [-1, 1]. */
  readonly image: Float32Array;
  /** `[h, w]`, 1 where a pixel is wiped. */
  readonly wiped: Uint8Array;
  /** One an image that is made. */
  readonly seeds: readonly number[];
  /** Times that each part of the way is taken. */
  readonly resample: number;
  /** Steps of such a part. */
  readonly jump: number;
}

/**
 * Fills in an image, once for each seed.
 *
 * @returns `[seeds.length, h, w, c]` in [-1, 1]; known pixels are as they were.
 * @throws {RangeError} For options that go with no inpainting.
 */
export async function fillIn(
  model: LoadedModel,
  { sampler: options, image, wiped, seeds, resample, jump }: FillSettings,
  onStep: (step: DrawnStep) => void = () => {},
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const way = repaintMoves(model.process, options, { resample, jump });
  const sampler = await model.sampler(seeds.length);
  const { channels } = model.site.size, count = seeds.length, { length } = image;
  const images = new Float32Array(count * length), known = new Float32Array(count * length);
  for (let i = 0; i < images.length; i++) {
    images[i] = image[i % length]!;
    known[i] = wiped[Math.floor(i % length / channels)] ? 0 : 1;
  }
  const levels = way.moves.map(levelOfMove);
  return await sampler.inpaint({ images, known }, way, seeds, watchOf(levels, onStep, signal));
}

/** A walk between two seeds. */
export interface WalkSettings {
  readonly sampler: SamplerOptions;
  readonly from: number;
  readonly to: number;
  /** Images of the walk with both ends, at least 2. */
  readonly count: number;
}

/**
 * Draws a walk, all at once.
 *
 * @returns `[count, h, w, c]` in [-1, 1]; the ends are the images of the seeds.
 * @throws {RangeError} For a sampler that draws noise.
 */
export async function walk(
  model: LoadedModel,
  { sampler: options, from, to, count }: WalkSettings,
  onStep: (step: DrawnStep) => void = () => {},
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const moves = samplerMoves(model.process, options);
  const sampler = await model.sampler(count);
  const ends = await sampler.startNoise([from, to]);
  const length = ends.length / 2;
  const [a, b] = [ends.subarray(0, length), ends.subarray(length)];
  const start = new Float32Array(count * length);
  for (let i = 0; i < count; i++) start.set(slerp(a, b, i / (count - 1)), i * length);
  const seeds = new Array<number>(count).fill(from);
  const levels = moves.map(levelOfMove);
  return await sampler.sampleFrom(start, moves, seeds, watchOf(levels, onStep, signal));
}
