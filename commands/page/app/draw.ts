/**
 * Draws images of a loaded model: what the page asks for, without the page.
 *
 * @module
 */
import type { Guidance } from "../../../diffusion/guidance.ts";
import { levelOfMove } from "../../../diffusion/moves.ts";
import type { SamplerOptions } from "../../../diffusion/options.ts";
import { samplerMoves } from "../../../diffusion/samplers/registry.ts";
import type { SamplingWatch, StepImages } from "../../../diffusion/sampling.ts";
import { pause } from "../../../support/pause.ts";
import type { LoadedModel } from "./loaded_model.ts";

/** What is to be drawn. */
export interface DrawSettings {
  readonly sampler: SamplerOptions;
  /** One an image. */
  readonly seeds: readonly number[];
  /** The class of each image; by its seed unless given. */
  readonly labels?: readonly number[] | undefined;
  readonly guidance?: Guidance | undefined;
}

/** A move that was made. */
export interface DrawnStep extends StepImages {
  /** Counts from 0. */
  readonly move: number;
  readonly moves: number;
  /** The timestep that the network was asked about. */
  readonly level: number;
}

/**
 * Draws images, all at once.
 *
 * @param onStep Sees every evaluation of the network.
 * @returns `[seeds.length, h, w, c]` in [-1, 1].
 * @throws {RangeError} For options that the sampler or the network refuses.
 */
export async function drawImages(
  model: LoadedModel,
  { sampler: options, seeds, labels, guidance }: DrawSettings,
  onStep: (step: DrawnStep) => void = () => {},
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const moves = samplerMoves(model.process, options);
  const sampler = await model.sampler(seeds.length, guidance);
  return await sampler.sample(moves, seeds, {
    ...watchOf(moves.map(levelOfMove), onStep, signal),
    ...labels ? { labels } : {},
  });
}

/** Who looks at moves of these levels, and lets the page live meanwhile. */
export function watchOf(
  levels: readonly (number | null)[],
  onStep: (step: DrawnStep) => void,
  signal?: AbortSignal,
): SamplingWatch {
  return {
    wants: () => true,
    onImages: (move, images) =>
      onStep({ ...images, move, moves: levels.length, level: levels[move]! }),
    onStep: () => pause(),
    ...signal ? { signal } : {},
  };
}
