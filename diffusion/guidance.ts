/**
 * Classifier-free guidance while sampling (Ho and Salimans 2022, arXiv 2207.12598): the network is
 * asked twice, with the class and without, and what it says is moved further from the latter; see
 * kernels/process/guidance.ts. It may be left out at noise levels where it does harm (Kynkaanniemi et
 * al. 2024, arXiv 2404.07724).
 *
 * @module
 */
import { doubled, type GuidanceStrength, guide } from "../kernels/process/guidance.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { Asked, Denoiser } from "./denoiser.ts";
import type { NoiseLevel } from "./schedule.ts";

/** How samples are guided. */
export interface Guidance {
  /** 1 is what the network says of the class, 0 what it says of no class; more goes beyond. */
  readonly scale: number;
  /** Levels where it acts, as noise over signal, from the first to the second; all where null. */
  readonly interval: readonly [low: number, high: number] | null;
  /** How far the contrast is brought back to that without guidance, from 0, not at all, to 1. */
  readonly rescale: number;
}

/** What a guided evaluation depends on besides. */
export interface GuidedBatch {
  /** Whether both answers come from one batch of twice the size; else one after the other. */
  readonly together: boolean;
  /** Channels of an image. */
  readonly channels: number;
}

/** Whether a sampler is guided at a level. */
export function guidesAt({ interval }: Guidance, { signal, noise }: NoiseLevel): boolean {
  if (!interval) return true;
  const ratio = noise / signal;
  return interval[0] <= ratio && ratio <= interval[1];
}

/**
 * Refuses guidance that a network can't be given.
 *
 * @throws {RangeError} When it knows no classes, or was never asked without one.
 */
export function checkGuidance({ conditioning = {} }: Pick<Asked, "conditioning">): void {
  const { labels = 0, labelDropout = 0 } = conditioning;
  if (labels > 0 && labelDropout > 0) return;
  throw new RangeError(
    labels === 0
      ? "Cannot guide: the network must know of classes, it knows none"
      : "Cannot guide: the network must have learnt to do without a class, it always had one; " +
        "train it with --model.labelDropout=0.1",
  );
}

/**
 * A network as a guided sampler asks it.
 *
 * @throws {RangeError} See {@linkcode checkGuidance}.
 */
export function guidedDenoiser(
  asked: Asked,
  { scale, rescale }: Guidance,
  { together, channels }: GuidedBatch,
): Denoiser {
  checkGuidance(asked);
  const { denoise, conditioning, guidedChannels = channels } = asked;
  const none = conditioning!.labels!;
  const strength: GuidanceStrength = {
    ...{ scale, rescale, channels: Math.min(channels, guidedChannels) },
  };
  return (graph, inputs) => {
    const { capture } = graph;
    const { x, labels, selfCondition, ...others } = inputs;
    if (!together) {
      const n = x.shape[0] ?? 0;
      const nothing = capture.constant([n], new Uint32Array(n).fill(none), "no classes");
      const conditional = denoise(graph, inputs).ref;
      const unconditional = denoise(graph, { ...inputs, labels: nothing }).ref;
      return graph.constant(guide(capture, { conditional, unconditional }, strength));
    }
    const twice = (ref: TensorRef) => doubled(capture, ref);
    const both = denoise(
      graph,
      {
        x: graph.constant(twice(x.ref)),
        ...selfCondition && { selfCondition: graph.constant(twice(selfCondition.ref)) },
        ...Object.fromEntries(Object.entries(others).map(([name, ref]) => [name, twice(ref)])),
        labels: doubled(capture, labels!, none),
      } as typeof inputs,
    ).ref;
    return graph.constant(guide(capture, { both }, strength));
  };
}
