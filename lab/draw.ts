/**
 * What images a program asks a run for, and how they come about.
 *
 * @module
 */
import {
  chooseSampler,
  type LoadedSampler,
  movesOf,
  type SamplerValues,
} from "../commands/shared/load_sampler.ts";
import type { Config } from "../config/schema.ts";
import { imageShape } from "../data/options.ts";
import { checkGuidedMoves, type Guidance } from "../diffusion/guidance.ts";
import { levelOfMove, type Move } from "../diffusion/moves.ts";
import { makeProcess, type Process } from "../diffusion/process.ts";
import type { DiffusionOptions, SamplerName } from "../diffusion/options.ts";
import { SAMPLE_BATCH } from "../diffusion/sampling.ts";
import { networkShape } from "../training/network_shape.ts";
import { pauseForSignals } from "../training/stop_signals.ts";
import { Images } from "./pictures.ts";

/** A step of a sampler, on the images that it works on at once. */
export interface SamplingStep {
  /** Index of the first of these images; there are as many as `images` holds. */
  readonly first: number;
  /** Steps of these images so far, from 1. */
  readonly step: number;
  /** Steps that they take in all. */
  readonly steps: number;
  /** The level that the network was asked at; null where a step only adds noise. */
  readonly timestep: number | null;
  /** The images after the step, x_{t-1}. */
  readonly images: Images;
  /** The clean images that it predicted, x_0. */
  readonly predicted: Images;
}

/** What is to be drawn. Options of the sampler that are not given are as in the run's config. */
export interface DrawOptions extends Omit<SamplerValues, "sampler"> {
  /** Images; 16 unless given. */
  readonly count?: number;
  /** Seed of the first image, image i has `seed + i`; 0 unless given. */
  readonly seed?: number;
  /** These seeds instead. */
  readonly seeds?: readonly number[];
  /** The solver. */
  readonly sampler?: SamplerName;
  /** Classes that images have in turn, by name or number; their seeds decide unless given. */
  readonly classes?: readonly (string | number)[];
  /** How they are guided, or how strongly; not at all unless given. */
  readonly guidance?: Guidance | number;
  /** Averaged weights, as unless given, or those of the last step. */
  readonly weights?: "ema" | "raw";
  /** Images computed at once, 16 unless given; another number may change the last bits. */
  readonly batch?: number;
  /** Whether predicted images are clipped; as in the config unless given. */
  readonly clip?: boolean;
  /** Steps between two that are shown, the last one always; 1 unless given. */
  readonly every?: number;
  /** Once aborted, drawing throws its reason after the step at hand. */
  readonly signal?: AbortSignal;
}

/** What a sampler is made for; equal ones can share one. */
export interface SamplerNeeds {
  readonly weights: "ema" | "raw";
  readonly batch: number;
  readonly guidance: Guidance | undefined;
  readonly process: Process;
  /** Tells one from another. */
  readonly key: string;
}

/** A drawing: which images, and by which moves. */
export interface Drawing {
  readonly seeds: readonly number[];
  readonly moves: readonly Move[];
  readonly labels: readonly number[] | undefined;
  readonly needs: SamplerNeeds;
  readonly every: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * What the options ask for.
 *
 * @param names What classes are called, where that is known.
 * @throws {UsageError | RangeError} For options out of their range, and those that do not go together.
 */
export function planDrawing(
  config: Config,
  options: DrawOptions,
  classes: { readonly count: number; readonly names: readonly string[] | undefined },
): Drawing {
  const { count = 16, seed = 0, every = 1, weights = "ema", batch = SAMPLE_BATCH } = options;
  for (const [key, value] of Object.entries({ count, every, batch })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new RangeError(
      `Cannot sample: ${key} must be a whole number of at least 1, got ${value}`,
    );
  }
  const seeds = options.seeds ?? Array.from({ length: count }, (_, i) => seed + i);
  const clipX0 = options.clip ?? config.diffusion.clipX0;
  const process = makeProcess({ ...config.diffusion, clipX0 }, networkShape(config));
  const moves = movesOf(process, chooseSampler(options, config.diffusion));
  const guidance = guidanceOf(options.guidance);
  if (guidance) checkGuidedMoves(guidance, moves);
  const chosen = options.classes && labelsOf(options.classes, classes);
  const { learnedLogSnr }: DiffusionOptions = config.diffusion;
  const key = JSON.stringify([weights, batch, clipX0, guidance, learnedLogSnr]);
  return {
    ...{ seeds, moves, every, signal: options.signal },
    labels: chosen && seeds.map((_, i) => chosen[i % chosen.length]!),
    needs: { weights, batch, guidance, process, key },
  };
}

function guidanceOf(given: Guidance | number | undefined): Guidance | undefined {
  if (typeof given !== "number") return given;
  return given === 1 ? undefined : { scale: given, interval: null, rescale: 0 };
}

function labelsOf(
  classes: readonly (string | number)[],
  { count, names = [] }: { readonly count: number; readonly names: readonly string[] | undefined },
): number[] {
  if (count === 0) {
    throw new RangeError(
      "Cannot sample classes: the network must know of them, it knows none; give model.classes",
    );
  }
  if (classes.length === 0) {
    throw new RangeError("Cannot sample classes: at least one must be given");
  }
  return classes.map((given) => {
    const label = typeof given === "number" ? given : names.indexOf(given);
    if (Number.isInteger(label) && label >= 0 && label < count) return label;
    throw new RangeError(
      `Cannot sample the class ${JSON.stringify(given)}: it must be a number from 0 to ${
        count - 1
      }, or one of ${names.join(", ") || "names, which are not known"}`,
    );
  });
}

/**
 * Draws.
 *
 * @param look Gets the steps that are shown, and is waited for.
 */
export async function draw(
  { sampler }: LoadedSampler,
  config: Config,
  { seeds, moves, labels, every, signal }: Drawing,
  look?: (step: SamplingStep) => void | Promise<void>,
): Promise<Images> {
  const size = imageShape(config.data), steps = moves.length;
  const shown = (i: number) => look !== undefined && ((i + 1) % every === 0 || i + 1 === steps);
  let seen: Pick<SamplingStep, "images" | "predicted"> | undefined;
  const floats = await sampler.sample([...moves], seeds, {
    ...labels && { labels },
    ...signal && { signal },
    wants: shown,
    onImages: (_, { after, predicted }) => {
      seen = { images: new Images(after, size), predicted: new Images(predicted, size) };
    },
    onStep: async (batch, i) => {
      if (shown(i) && seen) {
        const timestep = levelOfMove(moves[i]!);
        await look?.({ ...seen, first: batch * sampler.batch, step: i + 1, steps, timestep });
        seen = undefined;
      }
      await pauseForSignals();
    },
  });
  return new Images(floats, size);
}
