/**
 * Trains the classifier of metrics/judges/features/classifier.ts.
 *
 * @module
 */
import { Graph } from "../../../autograd/graph.ts";
import { crossEntropy } from "../../../autograd/ops/cross_entropy.ts";
import { mean } from "../../../autograd/ops/reduce.ts";
import type { ImageSet } from "../../../data/dataset.ts";
import { batchAt } from "../../../data/order.ts";
import type { Arena } from "../../../device/arena.ts";
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { Program } from "../../../device/program.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../model/parameters.ts";
import { OPTIMIZER_SCALARS_SHAPE, optimizerScalars, recordOptimizer } from "../../../optim/adam.ts";
import {
  NO_POWER_EMA,
  type OptimOptions,
  PLAIN_EMA,
  PLAIN_RATE,
  PLAIN_START,
} from "../../../optim/options.ts";
import { Classifier } from "./classifier.ts";

/** Optimiser steps unless told otherwise, and images a step. */
export const CLASSIFIER_STEPS = 1200;
const BATCH = 64;
/** Steps between two looks at the loss. */
const REPORT_EVERY = 50;
/** Seed of the weights and the order: a data set has one classifier. */
const SEED = 0;

const OPTIM: OptimOptions = {
  name: "adamw",
  lr: 2e-3,
  betas: [0.9, 0.99],
  eps: 1e-8,
  weightDecay: 0.01,
  warmupSteps: 50,
  decay: "cosine",
  ...PLAIN_RATE,
  gradClip: 1,
  ema: { decay: 0, ...PLAIN_EMA },
  powerEma: NO_POWER_EMA,
  ...PLAIN_START,
};

/** How training is watched and cut short. */
export interface ClassifierTraining {
  /** Optimiser steps; {@linkcode CLASSIFIER_STEPS} unless given. */
  readonly steps?: number;
  /** Called now and then, and after the last step. */
  readonly onStep?: (step: number, steps: number, loss: number) => void | Promise<void>;
}

/** A trained classifier. */
export interface TrainedClassifier {
  readonly classifier: Classifier;
  /** Its weights by name. */
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  readonly steps: number;
}

/**
 * Trains a classifier of a set with classes.
 *
 * @throws {RangeError} When the set has no classes or fewer images than a batch.
 * @throws {Error} When the loss is not finite.
 */
export async function trainClassifier(
  gpu: Gpu,
  images: ImageSet,
  options: ClassifierTraining = {},
): Promise<TrainedClassifier> {
  const { labels, classNames } = images;
  if (!labels || !classNames) {
    throw new RangeError(
      `Cannot train a classifier: the images must have classes, those of ${images.name} have none`,
    );
  }
  const { height, width, channels } = images;
  const classifier = new Classifier({ height, width, channels, classes: classNames.length });
  const batch = Math.min(BATCH, images.count);
  const steps = options.steps ?? CLASSIFIER_STEPS;
  const arenas = ["weights", "gradients", "first moments", "second moments"].map((label) =>
    createArena(gpu, `classifier's ${label}`, classifier)
  ) as [Arena, Arena, Arena, Arena];
  writeArenas(gpu, [arenas[0]], initialValues(classifier, SEED));
  const { program, loss } = await planStep(gpu, classifier, arenas, batch);
  for (let step = 0; step < steps; step++) {
    const { indices } = batchAt(step, batch, images.count, SEED);
    program.run({
      x: batchValues(images, indices),
      labels: Uint32Array.from(indices, (index) => labels[index]!),
      optimizer: optimizerScalars(OPTIM, step, steps),
    });
    if ((step + 1) % REPORT_EVERY === 0 || step + 1 === steps) {
      const value = (await program.readF32(loss))[0]!;
      if (!Number.isFinite(value)) {
        throw new Error(
          `Cannot train a classifier: the loss of step ${step + 1} must be finite, got ${value}`,
        );
      }
      await options.onStep?.(step + 1, steps, value);
    } else if (step % 4 === 0) await gpu.finish();
  }
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, tensor] of arenas[0].tensors) weights.set(name, await gpu.readF32(tensor));
  program.destroy();
  for (const arena of arenas) arena.destroy(gpu);
  return { classifier, weights, steps };
}

async function planStep(
  gpu: Gpu,
  classifier: Classifier,
  [params, grads, m, v]: readonly [Arena, Arena, Arena, Arena],
  batch: number,
): Promise<{ program: Program; loss: TensorRef }> {
  const { height, width, channels } = classifier.shape;
  const capture = new Capture(gpu, "classifier's training step");
  const graph = new Graph(capture, { parameters: parameterSlots(classifier, params, grads) });
  const x = graph.constant(capture.input("x", [batch, height, width, channels]));
  const labels = graph.constant(capture.input("labels", [batch], "u32"));
  const loss = mean(crossEntropy(classifier.forward(x).scores, labels));
  graph.backward(loss);
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  recordOptimizer(capture, { params, grads, m, v, options: OPTIM, scalars });
  capture.keep(loss.ref);
  return { program: await capture.plan(), loss: loss.ref };
}

/** Images by index as values in [-1, 1]. */
function batchValues(
  { images, height, width, channels }: ImageSet,
  indices: Uint32Array,
): Float32Array<ArrayBuffer> {
  const length = height * width * channels;
  const values = new Float32Array(indices.length * length);
  indices.forEach((index, i) => {
    for (let k = 0; k < length; k++) {
      values[i * length + k] = images[index * length + k]! / 127.5 - 1;
    }
  });
  return values;
}
