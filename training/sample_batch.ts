/**
 * How many images a sampler computes at once. An image depends on its seed alone, so that a batch may
 * be as small as the adapter wants.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";
import { planMemory } from "../device/plan_memory.ts";
import { planningGpu } from "../device/planning_gpu.ts";
import { OutOfMemoryError } from "../device/program.ts";
import { SAMPLE_BATCH, Sampler } from "../diffusion/sampling.ts";
import { setVariantPolicy, variantPolicy } from "../kernels/shared/variants.ts";
import { createArena } from "../model/parameters.ts";
import { networkSampler, type SampledNetwork, samplerParts } from "./network_sampler.ts";
import type { ImageSize } from "./pictures.ts";
import { formatBytes } from "./run_summary.ts";

/** A network that draws images of a size. */
export interface SamplingSubject extends
  Pick<
    SampledNetwork,
    "network" | "process" | "size" | "guidance" | "guide" | "scorer" | "latent"
  > {
  readonly gpu: Gpu;
}

/** What sampling takes besides the weights. */
export interface SamplingPlan {
  /** Images computed at once. */
  readonly batch: number;
  /** Whether a guided evaluation is one of twice the batch. */
  readonly together: boolean;
  /** Bytes of the images and of activations. */
  readonly bytes: number;
}

/**
 * Plans sampling without memory.
 *
 * @param together Of guided evaluations, see {@linkcode SamplingPlan}; true unless given.
 * @throws {RangeError} When a step is over one of the adapter's limits; the message names it.
 */
export function planSampling(
  subject: SamplingSubject,
  batch: number,
  together = true,
): SamplingPlan {
  const { gpu, network, guide: given } = subject;
  const planning = planningGpu(gpu);
  setVariantPolicy(planning, variantPolicy(gpu));
  const weights = createArena(planning, "averaged weights", network);
  const guide = given && {
    ...given,
    weights: createArena(planning, "guide's weights", given.network),
  };
  const scorer = subject.scorer && {
    ...subject.scorer,
    weights: createArena(planning, "classifier's weights", subject.scorer.network),
  };
  const before = planning.counters.bufferBytes;
  const parts = samplerParts({ ...subject, weights, guide, scorer, batch, together });
  const captures = Sampler.record(planning, parts);
  const images = planning.counters.bufferBytes - before;
  const peaks = captures.map((capture) => planMemory(capture).memory.peakBytes);
  return { batch, together, bytes: peaks.reduce((sum, bytes) => sum + bytes, images) };
}

/**
 * The largest batch, of `most` images and its halves, that stays within the adapter's limits and a
 * memory.
 *
 * @param memory Bytes that sampling may take; unlimited unless given.
 * @param most Images of the largest batch; {@linkcode SAMPLE_BATCH} unless given.
 * @throws {RangeError} When not even one image does; the message says why.
 */
export function fitSampling(
  subject: SamplingSubject,
  { memory = Infinity, most = SAMPLE_BATCH }: { memory?: number; most?: number } = {},
): SamplingPlan {
  const guided = asksTwice(subject);
  let batch = most, together = true;
  for (;; [batch, together] = smallerBatch({ batch, together }, guided)) {
    const last = batch === 1 && !(guided && together);
    try {
      const plan = planSampling(subject, batch, together);
      if (plan.bytes <= memory) return plan;
      if (last) {
        throw new RangeError(
          `one image at once takes ${formatBytes(plan.bytes)}, more than the ${
            formatBytes(Math.max(0, memory))
          } available`,
        );
      }
    } catch (error) {
      if (!(error instanceof RangeError) || last) throw error;
    }
  }
}

/** Pixels of an image up to which a batch is filled up with unused ones. */
const FILLED_PIXELS = 128 * 128;

/**
 * The largest batch for drawing `count` images. Small ones always come in batches of one size; large
 * ones take seconds each, so none is drawn that nobody wants.
 */
export function imagesAtOnce(
  { height, width }: Pick<ImageSize, "height" | "width">,
  count: number,
  batch: number = SAMPLE_BATCH,
): number {
  return height * width > FILLED_PIXELS ? Math.min(count, batch) : batch;
}

/** Whether a guided evaluation may be one of twice the batch. */
function asksTwice({ guidance, guide, scorer }: SamplingSubject): boolean {
  return guidance !== undefined && !guide && !scorer;
}

/** What is tried next: a guided evaluation becomes two before the batch is halved. */
function smallerBatch(
  { batch, together }: Pick<SamplingPlan, "batch" | "together">,
  guided: boolean,
): [batch: number, together: boolean] {
  return guided && together ? [batch, false] : [Math.floor(batch / 2), true];
}

/** What images are drawn for, and what leaves it out, for an error. */
export interface SamplingPurpose {
  /** As in "draw previews". */
  readonly verb: string;
  /** As in "--train.sampleEvery=0 leaves them out". */
  readonly remedy: string;
}

/**
 * A sampler of the largest batch that fits, see {@linkcode fitSampling}; where the adapter has less
 * memory than it takes, of a smaller one.
 *
 * @throws {RangeError} When not even one image fits at once.
 */
export async function fittingSampler(
  subject: SamplingSubject,
  weights: Arena,
  { verb, remedy }: SamplingPurpose,
  options: { memory?: number; most?: number } = {},
): Promise<Sampler> {
  try {
    const guided = asksTwice(subject);
    let { batch, together } = fitSampling(subject, options);
    for (;;) {
      try {
        return await networkSampler(subject.gpu, { ...subject, weights, batch, together });
      } catch (error) {
        const last = batch === 1 && !(guided && together);
        if (!(error instanceof OutOfMemoryError) || last) throw error;
        [batch, together] = smallerBatch({ batch, together }, guided);
      }
    }
  } catch (cause) {
    if (!(cause instanceof OutOfMemoryError) && !(cause instanceof RangeError)) throw cause;
    throw new RangeError(`Cannot ${verb}: ${cause.message}; ${remedy}`, { cause });
  }
}
