/**
 * What the programs of a training step are made of: the gradients of a batch, or of a part of one, and
 * the step's end.
 *
 * @module
 */
import { Graph } from "../autograd/graph.ts";
import type { BucketSize } from "../data/buckets.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { TrainingObjective } from "../diffusion/objective.ts";
import { fillZero } from "../kernels/layout/fill.ts";
import { addToRing } from "../kernels/reduce/loss_ring.ts";
import type { Network } from "../model/network.ts";
import { parameterSlots } from "../model/parameters.ts";
import { OPTIMIZER_SCALARS_SHAPE, recordOptimizer } from "../optim/adam.ts";
import type { BatchSource } from "./batch_source.ts";
import type { Collective } from "./collective.ts";
import type { Observer } from "./observer.ts";
import { recordPowerAverages } from "./power_averages.ts";
import type { RunConfig } from "./run_config.ts";
import type { TrainState } from "./state.ts";

/** What a step is recorded from. */
export interface StepParts {
  readonly gpu: Gpu;
  readonly config: RunConfig;
  readonly network: Network;
  readonly networkAt?: NetworkAt | undefined;
  readonly batches: BatchSource;
  /** Which of the batches' sizes is the config's. */
  readonly mainSize: number;
  readonly objective: TrainingObjective;
  readonly state: TrainState;
  readonly collective: Pick<Collective, "size">;
  readonly observers: readonly Observer[];
  /** Stages that the gradients become known in, see `GraphOptions.stages`. */
  readonly stages: number;
}

/** The network of a config at another size of images, its parameters being the same by their names. */
export type NetworkAt = (size: BucketSize) => Network;

/** What the programs of a step are made from. */
export interface RecordedStep {
  /** Of the batch, or of one of its parts; of images of the config's size where there are several. */
  readonly gradients: Capture;
  /** Of the step's end: the optimiser, which reads nothing of the above but the gradients. */
  readonly ending: Capture;
  readonly state: TrainState;
}

/** The same with what a run of it needs to know. */
export interface RecordedPrograms extends RecordedStep {
  /** Gradients at each size of images. */
  readonly all: readonly Capture[];
  /** Of each of them, the number of the first dispatch of observers; all after it are theirs. */
  readonly observed: readonly number[];
  /** L2 norm of the gradient, kept by the ending. */
  readonly gradNorm: TensorRef;
}

/** Writes down a step. */
export function recordStep(parts: StepParts): RecordedPrograms {
  const { gpu, state, batches, mainSize } = parts;
  const accumulated = parts.config.train.accumulate > 1;
  const name = accumulated ? "training micro-batch" : "training step";
  const sizes = batches.sizes ?? [null];
  const all = sizes.map((size) => new Capture(gpu, size ? `${name} of ${size.join("x")}` : name));
  const observed = all.map((capture, size) => recordGradients(capture, size, parts));
  const ending = new Capture(gpu, "optimiser step");
  const gradNorm = recordEnding(ending, parts);
  if (accumulated) { for (const chunk of state.grads.chunks) fillZero(ending, chunk); }
  return { gradients: all[mainSize]!, all, observed, ending, gradNorm, state };
}

/** @returns How many dispatches there are before those of observers. */
function recordGradients(capture: Capture, size: number, step: StepParts): number {
  const { batches, objective, state } = step;
  const { accumulate, recompute } = step.config.train;
  const parts = accumulate * step.collective.size;
  const isMain = size === step.mainSize;
  const network = isMain ? step.network : networkOf(step, batches.sizes![size]!);
  const graph = new Graph(capture, {
    parameters: parameterSlots(network, state.weights, state.grads),
    training: true,
    accumulate: accumulate > 1,
    recompute,
    stages: step.stages,
    random: capture.input("key", [4], "u32"),
  });
  const batch = batches.record(capture, size);
  const slot = capture.input("slot", [2], "u32");
  const tensors = objective.record(graph, {
    ...batch,
    denoise: objective.denoiserOf(network),
    conditioning: network.conditioning,
  });
  addToRing(capture, state.losses, slot, tensors.loss.ref, 1 / parts);
  // The step's loss is the mean over the micro-batches of all ranks, and so is its gradient.
  graph.backward(tensors.loss, state.lossSeed(1 / parts));
  const own = capture.dispatches.length;
  // Instruments are of one size, that of the config.
  for (const observer of isMain ? step.observers : []) {
    observer.capture?.({ graph, ...batch, ...tensors });
  }
  return own;
}

function networkOf({ networkAt }: StepParts, size: BucketSize): Network {
  if (networkAt) return networkAt(size);
  throw new TypeError("Cannot train on images in buckets: networkAt must be given");
}

/** @returns The norm of the gradient. */
function recordEnding(capture: Capture, { state, config, collective }: StepParts): TensorRef {
  const { weights, grads, firstMoments, secondMoments, ema, lossScale } = state;
  const share = 1 / (config.train.accumulate * collective.size);
  const { norm } = recordOptimizer(capture, {
    lossScale: lossScale ? { state: lossScale, share } : undefined,
    params: weights,
    grads,
    m: firstMoments,
    v: secondMoments,
    ema,
    options: config.optim,
    scalars: capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE),
  });
  recordPowerAverages(capture, state.powerAverages, weights);
  return capture.keep(norm);
}
