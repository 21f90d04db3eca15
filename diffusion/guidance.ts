/**
 * Classifier-free guidance while sampling (Ho and Salimans 2022, arXiv 2207.12598): the network is
 * asked twice, with the class and without, and what it says is moved further from the latter; see
 * kernels/process/guidance.ts. It may be left out at noise levels where it does harm (Kynkaanniemi et
 * al. 2024, arXiv 2404.07724). CFG++ guides the image that a step predicts and leaves its noise as it is
 * without a class (Chung et al. 2024, arXiv 2406.08070).
 *
 * @module
 */
import { doubled, type GuidanceStrength, guide } from "../kernels/process/guidance.ts";
import type { Graph } from "../autograd/graph.ts";
import type { NetworkInputs } from "../autograd/network_inputs.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { Asked, Denoiser } from "./denoiser.ts";
import { isEvaluation, keptRegisters, type Move, thresholds } from "./moves.ts";
import type { NoiseLevel } from "./schedule.ts";

/** How samples are guided. */
export interface Guidance {
  /** 1 is what the network says of the class, 0 what it says of no class; more goes beyond. */
  readonly scale: number;
  /** Levels where it acts, as noise over signal, from the first to the second; all where null. */
  readonly interval: readonly [low: number, high: number] | null;
  /** How far the contrast is brought back to that without guidance, from 0, not at all, to 1. */
  readonly rescale: number;
  /** Whether steps take their noise from what is said of no class (CFG++); false unless given. */
  readonly unconditionalNoise?: boolean;
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
 * Refuses moves that CFG++ can't guide: those that go by more than one evaluation, or threshold.
 *
 * @throws {RangeError} When it is asked for and there are such moves.
 */
export function checkGuidedMoves(
  { unconditionalNoise = false }: Guidance,
  moves: readonly Move[],
): void {
  if (!unconditionalNoise) return;
  const usesOthers = keptRegisters(moves) > 0 ||
    moves.some((move) => isEvaluation(move) && (move.fromBefore ?? 0) !== 0);
  if (!usesOthers && !moves.some(thresholds)) return;
  throw new RangeError(
    `Cannot guide by CFG++: a step must ${
      usesOthers ? "go by one evaluation, this sampler's go by several" : "not threshold"
    }; take ddim, ancestral or euler${usesOthers ? "" : " without thresholding"}`,
  );
}

/** What a network says with a class, guided, and what it says without one. */
export function guidedAndNot(
  asked: Asked,
  { scale, rescale }: Guidance,
  { channels }: Pick<GuidedBatch, "channels">,
  graph: Graph,
  inputs: NetworkInputs,
): { guided: TensorRef; unconditional: TensorRef } {
  checkGuidance(asked);
  const { denoise, conditioning, guidedChannels = channels } = asked, { capture } = graph;
  const n = inputs.x.shape[0] ?? 0, none = conditioning!.labels!;
  const nothing = capture.constant([n], new Uint32Array(n).fill(none), "no classes");
  const conditional = denoise(graph, inputs).ref;
  const unconditional = denoise(graph, { ...inputs, labels: nothing }).ref;
  const strength = { scale, rescale, channels: Math.min(channels, guidedChannels) };
  return { guided: guide(capture, { conditional, unconditional }, strength), unconditional };
}

/**
 * A network as a guided sampler asks it.
 *
 * @throws {RangeError} See {@linkcode checkGuidance}.
 */
export function guidedDenoiser(
  asked: Asked,
  guidance: Guidance,
  { together, channels }: GuidedBatch,
): Denoiser {
  const { scale, rescale } = guidance;
  checkGuidance(asked);
  const { denoise, conditioning, guidedChannels = channels } = asked;
  const none = conditioning!.labels!;
  const strength: GuidanceStrength = {
    ...{ scale, rescale, channels: Math.min(channels, guidedChannels) },
  };
  return (graph, inputs) => {
    const { capture } = graph;
    const { x, labels, selfCondition, stage: _, ...others } = inputs;
    if (!together) {
      return graph.constant(guidedAndNot(asked, guidance, { channels }, graph, inputs).guided);
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
