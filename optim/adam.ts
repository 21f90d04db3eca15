/**
 * The optimiser's part of a training step: the gradient's norm, clipping, Adam or AdamW and the
 * moving average, over whole arenas.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import type { Capture } from "../device/capture.ts";
import type { TensorRef } from "../device/tensor.ts";
import { ADAM_SCALARS, type AdamOptions, adamScalars, adamStep } from "../kernels/optim/adam.ts";
import { type GradNorm, gradNorm } from "../kernels/optim/grad_norm.ts";
import { lossScaleStep } from "../kernels/optim/loss_scale.ts";
import { emaDecay } from "./ema_decay.ts";
import { firstBeta, learningRate } from "./learning_rate.ts";
import type { OptimOptions } from "./options.ts";

/** Shape of the tensor of an optimiser's run-time numbers: `capture.input(name, [...])`. */
export const OPTIMIZER_SCALARS_SHAPE: readonly number[] = [ADAM_SCALARS];

/** Arenas of one layout and the choices of an optimiser. */
export interface OptimizerRecord {
  /** The weights. */
  readonly params: Arena;
  /** Their gradients. */
  readonly grads: Arena;
  /** First moments. */
  readonly m: Arena;
  /** Second moments. */
  readonly v: Arena;
  /** Moving average of the parameters; none unless given. */
  readonly ema?: Arena;
  /** Where gradients are those of a scaled loss: its state, and what they are multiplied by besides. */
  readonly lossScale?: { readonly state: TensorRef; readonly share: number } | undefined;
  /** Which optimiser, and how. */
  readonly options: OptimOptions;
  /** The numbers of {@linkcode optimizerScalars}, written before each step. */
  readonly scalars: TensorRef;
}

/**
 * Records one step in place.
 *
 * @returns The gradient's norm before clipping, and the coefficient that it was multiplied by; where the
 *   loss is scaled the norm is that of the scaled gradient.
 * @throws {RangeError} When the arenas' layouts differ.
 */
export function recordOptimizer(
  capture: Capture,
  { params, grads, m, v, ema, lossScale, options, scalars }: OptimizerRecord,
): GradNorm {
  const arenas = [params, grads, m, v, ...(ema ? [ema] : [])];
  const layouts = arenas.map(({ chunks }) => chunks.map(({ shape }) => shape[0]).join(", "));
  if (new Set(layouts).size !== 1) {
    throw new RangeError(
      `Cannot record the optimiser: its arenas must have one layout, got chunks of ${
        layouts.join(" and ")
      }`,
    );
  }
  const maxNorm = options.gradClip, skips = lossScale !== undefined;
  const { norm, coefficient } = gradNorm(capture, grads.chunks, skips ? 0 : maxNorm);
  const factor = skips
    ? lossScaleStep(capture, norm, lossScale.state, { share: lossScale.share, maxNorm })
    : coefficient;
  const chosen = { ...adamOptions(options), skips };
  params.chunks.forEach((param, i) => {
    const average = ema?.chunks[i];
    adamStep(
      capture,
      {
        param,
        grad: grads.chunks[i]!,
        m: m.chunks[i]!,
        v: v.chunks[i]!,
        ...(average ? { ema: average } : {}),
      },
      scalars,
      factor,
      i < params.firstApart ? chosen : { ...chosen, ...NO_DECAY },
    );
  });
  return { norm, coefficient: factor };
}

/** For what is not learned, whose gradients are zeros: it is averaged with the rest and stays. */
const NO_DECAY = { decoupled: false, weightDecay: 0 } as const;

/**
 * The run-time numbers of a step, computed in f64.
 *
 * @param step completed optimiser steps, 0 for the first
 * @param steps optimiser steps of the whole run
 * @param batchSize images a step, for averages of so many images
 */
export function optimizerScalars(
  options: OptimOptions,
  step: number,
  steps: number,
  batchSize = 1,
): Float32Array<ArrayBuffer> {
  return adamScalars(adamOptions(options), {
    step: options.stepsBefore + step + 1,
    lr: learningRate(options, step, steps),
    emaDecay: emaDecay(options.ema, step, batchSize),
    beta: options.name === "sgd" ? 0 : firstBeta(options, step, steps),
  });
}

/** Gradient descent remembers nothing. */
const NO_BETAS = [0, 0] as const;

function adamOptions({ name, betas, eps, weightDecay }: OptimOptions): AdamOptions {
  const plain = name === "sgd";
  return { decoupled: name === "adamw", plain, betas: plain ? NO_BETAS : betas, eps, weightDecay };
}
