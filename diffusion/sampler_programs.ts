/**
 * The programs of a sampler: how a batch starts, and its evaluations of the network.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import { STREAMS } from "../support/random_streams.ts";
import {
  Evaluation,
  type EvaluationParts,
  type Room,
  type SampledImages,
  type SamplerParts,
} from "./evaluation.ts";

/** An evaluation, and one without guidance where guidance acts at some levels alone. */
export async function planEvaluations(
  gpu: Gpu,
  parts: EvaluationParts,
  images: SampledImages,
  room?: Room,
): Promise<{ evaluation: Evaluation; unguided: Evaluation | null }> {
  if (parts.process.schedule.provisional) {
    throw new TypeError(
      "Cannot sample: the schedule must be as it was learned, which withLearned of " +
        "training/learned_schedule.ts takes from a checkpoint or from weights",
    );
  }
  const evaluation = await Evaluation.plan(gpu, parts, images, room);
  if (!parts.guidance?.interval) return { evaluation, unguided: null };
  try {
    const without = unguidedParts(parts);
    const unguided = await Evaluation.plan(gpu, without, images, room, evaluation);
    return { evaluation, unguided };
  } catch (error) {
    evaluation.destroy();
    throw error;
  }
}

/** The same parts, asked without guidance. */
export function unguidedParts(parts: EvaluationParts): EvaluationParts {
  return { ...parts, guidance: undefined };
}

/** The images at hand, and the program that fills them with noise. */
export function recordStart(
  gpu: Gpu,
  { shape, process: { drawNoise } }: SamplerParts,
  onGpu: Pick<ProcessOnGpu, "start">,
): { images: SampledImages; start: Capture } {
  const [samples, ...image] = shape;
  const x = gpu.tensor(shape, { label: "samples" });
  const predicted = gpu.tensor(shape, { label: "predicted samples" });
  const start = new Capture(gpu, "sampling start");
  const keys = start.input("keys", [samples, 4], "u32");
  const noise = drawNoise(start, keys, { samples, shape: image, stream: STREAMS.start });
  copyInto(start, x, onGpu.start(start, noise));
  return { images: { x, predicted }, start };
}
