/**
 * Classifier-free guidance while sampling (Ho and Salimans 2022, arXiv 2207.12598): the network is
 * asked twice, with the class and without, and what it says is moved further from the latter; see
 * kernels/process/guidance.ts. It may be left out at noise levels where it does harm (Kynkaanniemi et
 * al. 2024, arXiv 2404.07724). CFG++ guides the image that a step predicts and leaves its noise as it is
 * without a class (Chung et al. 2024, arXiv 2406.08070).
 *
 * Autoguidance (Karras et al. 2024, arXiv 2406.02507) asks a worse network, the guide, in place of the
 * same one without a class: a smaller one, or one trained for less long. It knows the class too, where
 * there are any, or none, as Kynkaanniemi et al. have it.
 *
 * @module
 */
import { doubled, type GuidanceStrength, guide } from "../kernels/process/guidance.ts";
import type { Graph, ParameterSlot } from "../autograd/graph.ts";
import { type Conditioning, givenLevels, type NetworkInputs } from "../autograd/network_inputs.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { Denoiser, Predictor } from "./denoiser.ts";
import { isEvaluation, keptRegisters, type Move, thresholds } from "./moves.ts";
import type { NoiseLevel } from "./schedule.ts";

/** How samples are guided. */
export interface Guidance {
  /**
   * 1 is what the network says of the class, 0 what it says of no class, or what its guide says; more
   * goes beyond.
   */
  readonly scale: number;
  /** Levels where it acts, as noise over signal, from the first to the second; all where null. */
  readonly interval: readonly [low: number, high: number] | null;
  /** How far the contrast is brought back to that without guidance, from 0, not at all, to 1. */
  readonly rescale: number;
  /** Whether steps take their noise from what is said of no class (CFG++); false unless given. */
  readonly unconditionalNoise?: boolean;
}

/** The worse network of autoguidance, asked about the same images and levels. */
export interface Guide extends Predictor {
  /** Its weights. */
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
}

/** A network, and its guide if it has one. */
export interface GuidedNetwork extends Predictor {
  /** What it is compared with; itself without a class unless given. */
  readonly guide?: Guide | undefined;
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
 * @throws {RangeError} When it knows no classes, or was never asked without one, and has no guide; or
 *   its guide wants to know what it does not.
 */
export function checkGuidance(
  { conditioning = {}, guide, scorer }: Pick<GuidedNetwork, "conditioning"> & {
    readonly guide?: Pick<Guide, "conditioning" | "stages"> | undefined;
    readonly scorer?: unknown;
  },
): void {
  // A classifier tells how by itself.
  if (scorer) return;
  if (guide) return checkGuide(conditioning, guide);
  const { labels = 0, labelDropout = 0 } = conditioning;
  if (labels > 0 && labelDropout > 0) return;
  throw new RangeError(
    labels === 0
      ? "Cannot guide: the network must know of classes, it knows none"
      : "Cannot guide: the network must have learnt to do without a class, it always had one; " +
        "train it with --model.labelDropout=0.1",
  );
}

/** What a guide may want to know: what the network does, or nothing. */
const TOLD = ["labels", "augment"] as const;

function checkGuide(
  conditioning: Conditioning,
  { conditioning: own = {}, stages }: Pick<Guide, "conditioning" | "stages">,
): void {
  if (stages) {
    throw new RangeError(
      "Cannot guide by a chain of networks: the guide must be a network of all levels",
    );
  }
  const foreign = TOLD.find((name) => own[name] && own[name] !== (conditioning[name] ?? 0));
  if (foreign !== undefined) {
    throw new RangeError(
      `Cannot guide: the guide must know the network's ${
        foreign === "labels" ? "classes" : "augmentation"
      }, ${conditioning[foreign] ?? 0}, or none, it knows ${own[foreign]}`,
    );
  }
  if (!own.selfCondition || conditioning.selfCondition) return;
  throw new RangeError(
    "Cannot guide: the guide wants the images predicted before, the network must as well",
  );
}

/** What a guide is told of what a network is. */
function guideInputs(inputs: NetworkInputs, { conditioning = {} }: Guide): NetworkInputs {
  const { labels, augment, selfCondition, ...rest } = inputs;
  return {
    ...rest,
    ...labels && conditioning.labels && { labels },
    ...augment && conditioning.augment && { augment },
    ...selfCondition && conditioning.selfCondition && { selfCondition },
  };
}

/** Parameters and where they are. */
interface Weighted {
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
}

/** The slots of a network and of what guides it. */
export function guidedParameters(
  { parameters, guide, scorer }: Weighted & {
    readonly guide?: Weighted | undefined;
    readonly scorer?: Weighted | undefined;
  },
): ReadonlyMap<Parameter, ParameterSlot> {
  if (!guide && !scorer) return parameters;
  return new Map([...parameters, ...guide?.parameters ?? [], ...scorer?.parameters ?? []]);
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

/** What a network says with a class, guided, and what it says without one, or what its guide says. */
export function guidedAndNot(
  asked: GuidedNetwork,
  { scale, rescale }: Guidance,
  { channels }: Pick<GuidedBatch, "channels">,
  graph: Graph,
  inputs: NetworkInputs,
): { guided: TensorRef; unconditional: TensorRef } {
  checkGuidance(asked);
  const { denoise, guide: other, guidedChannels = channels } = asked, { capture } = graph;
  const conditional = denoise(graph, inputs).ref;
  const unconditional = other
    ? other.denoise(graph, guideInputs(inputs, other)).ref
    : denoise(graph, withoutClass(asked, graph, inputs)).ref;
  const strength = { scale, rescale, channels: Math.min(channels, guidedChannels) };
  return { guided: guide(capture, { conditional, unconditional }, strength), unconditional };
}

function withoutClass({ conditioning }: Predictor, { capture }: Graph, inputs: NetworkInputs) {
  const n = inputs.x.shape[0] ?? 0, none = conditioning!.labels!;
  const labels = capture.constant([n], new Uint32Array(n).fill(none), "no classes");
  return { ...inputs, labels };
}

/**
 * A network as a guided sampler asks it.
 *
 * @throws {RangeError} See {@linkcode checkGuidance}.
 */
export function guidedDenoiser(
  asked: GuidedNetwork,
  guidance: Guidance,
  { together, channels }: GuidedBatch,
): Denoiser {
  const { scale, rescale } = guidance;
  checkGuidance(asked);
  const { denoise, conditioning, guidedChannels = channels } = asked;
  const none = conditioning?.labels ?? 0;
  const strength: GuidanceStrength = {
    ...{ scale, rescale, channels: Math.min(channels, guidedChannels) },
  };
  return (graph, inputs) => {
    const { capture } = graph;
    const { x, level, labels, selfCondition, stage: _, ...others } = inputs;
    if (!together || asked.guide) {
      return graph.constant(guidedAndNot(asked, guidance, { channels }, graph, inputs).guided);
    }
    const twice = (ref: TensorRef) => doubled(capture, ref);
    const both = denoise(
      graph,
      {
        x: graph.constant(twice(x.ref)),
        level: twice(givenLevels(graph, level)),
        ...selfCondition && { selfCondition: graph.constant(twice(selfCondition.ref)) },
        ...Object.fromEntries(Object.entries(others).map(([name, ref]) => [name, twice(ref)])),
        labels: doubled(capture, labels!, none),
      } as typeof inputs,
    ).ref;
    return graph.constant(guide(capture, { both }, strength));
  };
}
