/**
 * From the options of a command line to what is to be drawn, with what does not go together refused.
 *
 * @module
 */
import type { DiffusionOptions, SamplerOptions } from "../../diffusion/options.ts";
import { type KnownNoise, repaintMoves } from "../../diffusion/inpainting.ts";
import type { Plane } from "../../diffusion/bands.ts";
import { makeProcess, type Process } from "../../diffusion/process.ts";
import { UsageError } from "../../support/errors.ts";
import type { ImageSize } from "../../training/pictures.ts";
import { inversionMoves, SAMPLERS } from "../../diffusion/samplers/registry.ts";
import { chooseSampler, movesOf, type SamplerValues, usage } from "../shared/load_sampler.ts";
import { readGivenImage, readImage } from "./given_image.ts";
import {
  type Classes,
  type GivenImage,
  inpaintingJob,
  interpolationJob,
  inversionJob,
  type Job,
  seedsJob,
} from "./jobs.ts";

/** Images where no count is given: of seeds, and of what costs more or is looked at in a row. */
const COUNT = 16, FEW = 8;
/** How inpainting goes over its way again unless told otherwise. */
const RESAMPLE = 5, JUMP = 10;

/** The options that decide which images are drawn. */
export interface ChoiceOptions extends SamplerValues {
  readonly count: number | undefined;
  readonly seed: number | undefined;
  readonly seeds: readonly number[] | undefined;
  readonly interpolate: readonly [number, number] | undefined;
  readonly invert?: string | undefined;
  readonly inpaint: string | undefined;
  readonly mask: string | undefined;
  readonly resample: number | undefined;
  readonly jump: number | undefined;
  readonly knownNoise?: KnownNoise | undefined;
  readonly noClip: boolean;
}

/** What is to be drawn. */
export interface Plan {
  readonly job: Job;
  readonly sampler: SamplerOptions;
  /** The run's process, which clips if the options allow it. */
  readonly process: Process;
  /** The image that is filled in, if there is one. */
  readonly given: GivenImage | null;
}

/**
 * What the options ask for.
 *
 * @param diffusion Of the run.
 * @param plane What is diffused: of the size of images unless given.
 * @param classes That images have in turn; their seeds decide unless given.
 * @throws {UsageError} One line, for options that do not go together or files that can't be used.
 */
export async function choosePlan(
  options: ChoiceOptions,
  diffusion: DiffusionOptions,
  size: ImageSize,
  classes: Classes = null,
  plane: Plane = size,
): Promise<Plan> {
  refuseStrays(options);
  const clipX0 = diffusion.clipX0 && !options.noClip;
  const process = makeProcess({ ...diffusion, clipX0 }, plane);
  const { interpolate, inpaint, mask } = options;
  if (interpolate !== undefined) {
    const count = options.count ?? FEW;
    if (count < 2) {
      throw new UsageError("Cannot interpolate: --count must be at least 2, the two ends, got 1");
    }
    const sampler = noiselessSampler("interpolate", options, diffusion);
    const job = interpolationJob(interpolate, count, movesOf(process, sampler), classes);
    return { job, sampler, process, given: null };
  }
  if (options.invert !== undefined) {
    const sampler = noiselessSampler("invert", options, diffusion);
    const inversion = usage(() => inversionMoves(process, sampler));
    const image = await readImage(options.invert, size);
    const facts = { invert: await digest(image) };
    const job = inversionJob(image, inversion, movesOf(process, sampler), facts);
    return { job, sampler, process, given: null };
  }
  const sampler = chooseSampler(options, diffusion);
  const { seeds, facts } = seedsOf(options);
  if (inpaint === undefined || mask === undefined) {
    return {
      job: seedsJob(seeds, movesOf(process, sampler), facts, classes),
      ...{ sampler, process, given: null },
    };
  }
  const resample = options.resample ?? RESAMPLE;
  const steps = movesOf(process, sampler).length;
  const { knownNoise = "fresh" } = options;
  const jump = options.jump ?? Math.min(JUMP, Math.max(1, steps - 1));
  const way = usage(() => repaintMoves(process, sampler, { resample, jump, knownNoise }));
  const given = await readGivenImage(inpaint, mask, size);
  const inpainting = { image: await digest(given.image), known: await digest(given.known) };
  const told = {
    ...{ ...facts, inpaint: inpainting, resample, jump },
    ...knownNoise !== "fresh" && { knownNoise },
  };
  const job = inpaintingJob(given, seeds, way, told, classes);
  return { job, sampler, process, given };
}

/** An option as it is written. */
function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Refuses options that need or exclude another. */
function refuseStrays(options: ChoiceOptions): void {
  const given = (name: keyof ChoiceOptions) => options[name] !== undefined;
  const excluded: readonly (readonly [keyof ChoiceOptions, readonly (keyof ChoiceOptions)[]])[] = [
    ["interpolate", ["seed", "seeds", "inpaint", "invert"]],
    ["invert", ["seed", "seeds", "count", "inpaint"]],
    ["seeds", ["seed", "count"]],
  ];
  for (const [name, others] of excluded) {
    const other = given(name) && others.find(given);
    if (other) throw new UsageError(`Cannot use --${other} with --${name}: give one of them`);
  }
  const needed: readonly (readonly [keyof ChoiceOptions, keyof ChoiceOptions])[] = [
    ["inpaint", "mask"],
    ["mask", "inpaint"],
    ["resample", "inpaint"],
    ["jump", "inpaint"],
    ["knownNoise", "inpaint"],
  ];
  for (const [name, other] of needed) {
    if (given(name) && !given(other)) {
      throw new UsageError(`Cannot use --${flagOf(name)} alone: it must come with --${other}`);
    }
  }
}

/** The seeds of the images, and how the folder's manifest tells them. */
function seedsOf(
  { seeds, seed = 0, count, inpaint }: ChoiceOptions,
): { seeds: readonly number[]; facts: Job["facts"] } {
  if (seeds) return { seeds, facts: { seeds } };
  const images = count ?? (inpaint === undefined ? COUNT : FEW);
  if (seed + images - 1 > Number.MAX_SAFE_INTEGER) {
    throw new UsageError(
      `Cannot sample: the last of ${images} seeds must be at most ${Number.MAX_SAFE_INTEGER}, got ${
        BigInt(seed) + BigInt(images - 1)
      }`,
    );
  }
  // The count is no fact: a folder may grow.
  return { seeds: Array.from({ length: images }, (_, i) => seed + i), facts: { seed } };
}

/** The sampler that the options ask for, without noise: what it makes of a start is then certain. */
function noiselessSampler(
  verb: string,
  options: ChoiceOptions,
  diffusion: DiffusionOptions,
): SamplerOptions {
  const { sampler, eta, churn = 0 } = options;
  const asked = sampler ?? diffusion.sampler.name;
  const quiet = SAMPLERS[asked].along !== undefined;
  if ((sampler !== undefined && !quiet) || (eta ?? 0) > 0 || churn > 0) {
    const noisy = !quiet ? sampler : churn > 0 ? `churn ${churn}` : `eta ${eta}`;
    throw new UsageError(
      `Cannot ${verb} with ${noisy}: the sampler must draw no noise, take --sampler ddim --eta 0 or --sampler dpmpp-2m`,
    );
  }
  const own = quiet ? asked : "ddim";
  const chosen = chooseSampler({ ...options, sampler: own }, diffusion);
  return { ...chosen, eta: 0, ...chosen.churn !== undefined && { churn: 0 } };
}

async function digest(values: Float32Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", Float32Array.from(values)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
