/**
 * One step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) over a flat range, as
 * PyTorch computes it, with the moving average of the weights in the same pass. With g the scaled
 * gradient, to which Adam adds weightDecay p, and t the number of the step from 1:
 *
 *     p <- (1 - lr weightDecay) p                                  (AdamW only)
 *     m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
 *     p <- p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 *     e <- d e + (1 - d) p                                         (with an average)
 *
 * With `plain` it is gradient descent, p <- p - lr g, and the moments stay as they are.
 *
 * What changes from step to step comes in a tensor of {@linkcode ADAM_SCALARS} numbers, computed on
 * the host in f64 by {@linkcode adamScalars}.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Length of the tensor of run-time numbers. */
export const ADAM_SCALARS = 7;

/** What is fixed for a run. */
export interface AdamOptions {
  /** Whether weight decay is decoupled (AdamW) instead of added to the gradient. */
  readonly decoupled: boolean;
  /** Whether it is gradient descent without moments. */
  readonly plain?: boolean;
  /** Decay of the first and second moments, each in [0, 1). */
  readonly betas: readonly [number, number];
  /** Added to the root of the second moment. */
  readonly eps: number;
  /** Weight decay. */
  readonly weightDecay: number;
  /** Whether a negative factor of the gradient leaves everything as it is; false unless given. */
  readonly skips?: boolean;
}

/** The flat f32 tensors of a step, all of one length. */
export interface AdamTensors {
  readonly param: TensorRef;
  readonly grad: TensorRef;
  readonly m: TensorRef;
  readonly v: TensorRef;
  /** Moving average of the parameters. */
  readonly ema?: TensorRef;
}

/**
 * The run-time numbers of a step: lr / (1 - b1^t), 1 / sqrt(1 - b2^t), 1 - lr weightDecay, d, 1 - d,
 * b1, 1 - b1.
 *
 * @param step number of the step, from 1
 * @param emaDecay d; any value where there is no average
 * @param beta b1 of this step, where it is not that of the options
 */
export function adamScalars(
  { betas: [b1, b2], weightDecay, decoupled }: AdamOptions,
  { step, lr, emaDecay = 0, beta = b1 }: {
    step: number;
    lr: number;
    emaDecay?: number;
    beta?: number;
  },
): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(step) || step < 1) {
    throw new RangeError(`Cannot take an Adam step: its number must be at least 1, got ${step}`);
  }
  return Float32Array.of(
    lr / biasCorrection(beta, step),
    1 / Math.sqrt(biasCorrection(b2, step)),
    decoupled ? 1 - lr * weightDecay : 1,
    emaDecay,
    1 - emaDecay,
    beta,
    1 - beta,
  );
}

/** ln of a number that is less than half a step of f64 below 1. */
const NOTHING_BESIDE_ONE = -38;

/**
 * 1 - beta^step in f64, to the last bit. The power is left out once 1 swallows it: it would go on to
 * the tiniest numbers, for which the C library has code of its own that nothing else in a run loads.
 */
export function biasCorrection(beta: number, step: number): number {
  return step * Math.log(beta) < NOTHING_BESIDE_ONE ? 1 : 1 - beta ** step;
}

/**
 * Updates `param`, `m`, `v` and `ema` in place.
 *
 * @param scalars `[7]` of {@linkcode adamScalars}.
 * @param gradScale `[1]`, a factor of the gradient: the coefficient of clipping.
 * @throws {RangeError} When lengths differ.
 */
export function adamStep(
  capture: Capture,
  tensors: AdamTensors,
  scalars: TensorRef,
  gradScale: TensorRef,
  { betas: [, b2], eps, weightDecay, decoupled, plain = false, skips = false }: AdamOptions,
): void {
  const { param, grad, m, v, ema } = tensors;
  const count = sizeOf(param.shape);
  const lengths = [param, grad, m, v, ...(ema ? [ema] : [])].map(({ shape }) => sizeOf(shape));
  if (lengths.some((length) => length !== count) || sizeOf(scalars.shape) !== ADAM_SCALARS) {
    throw new RangeError(
      `Cannot take an Adam step: all tensors must have one length and scalars ${ADAM_SCALARS}, got ${
        lengths.join(", ")
      } and ${formatShape(scalars.shape)}`,
    );
  }
  const width = count % 4 === 0 ? 4 : 1;
  const bindings: Record<string, TensorRef> = { param, grad, m, v, scalars, gradScale };
  if (ema) bindings.ema = ema;
  capture.dispatch({
    kernel: adamKernel(full(width), { decoupled, plain, average: ema !== undefined, skips }),
    bindings,
    params: {
      items: count / width,
      b2,
      restB2: 1 - b2,
      eps,
      weightDecay,
    },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
}

function adamKernel(
  type: VectorType,
  { decoupled, plain, average, skips }: Readonly<
    Record<"decoupled" | "plain" | "average" | "skips", boolean>
  >,
): Kernel {
  const inPlace: BindingSpec = { type, access: "read_write" };
  const bindings: Record<string, BindingSpec> = {
    param: inPlace,
    grad: { type, access: "read" },
    m: inPlace,
    v: inPlace,
    scalars: { type: full(1), access: "read" },
    gradScale: { type: full(1), access: "read" },
  };
  if (average) bindings.ema = inPlace;
  const decay = decoupled
    ? "let g = gradScale[0] * grad[i];\n  p *= scalars[2];"
    : "let g = gradScale[0] * grad[i] + params.weightDecay * p;";
  const moments = `let first = scalars[5] * m[i] + scalars[6] * g;
  let second = params.b2 * v[i] + params.restB2 * g * g;
  p -= scalars[0] * (first / (sqrt(second) * scalars[1] + params.eps));
  m[i] = first;
  v[i] = second;`;
  return {
    name: `${plain ? "sgd" : decoupled ? "adamW" : "adam"}${average ? ".ema" : ""}${
      skips ? ".skips" : ""
    }.${type}`,
    bindings,
    params: {
      items: "u32",
      b2: "f32",
      restB2: "f32",
      eps: "f32",
      weightDecay: "f32",
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items${skips ? " || gradScale[0] < 0.0" : ""}) { return; }
  var p = param[i];
  ${decay}
  ${plain ? "p -= scalars[0] * g;" : moments}
  param[i] = p;${average ? "\n  ema[i] = scalars[3] * ema[i] + scalars[4] * p;" : ""}
}`,
  };
}
