/**
 * Batch normalisation as it is at inference (Ioffe and Szegedy 2015, algorithm 2), with statistics that
 * are given, over the last axis:
 *
 *     y = (x - mean) g weight + bias,   g = 1 / sqrt(variance + eps)
 *     dx = dy g weight,   dweight = sum dy (x - mean) g,   dbias = sum dy
 *
 * Mean and variance are constants: they have no gradient.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { sumMiddle } from "../reduce/reduce.ts";

/** Statistics `[C]` that were gathered in training, and what keeps their root from zero. */
export interface BatchNormStatistics {
  readonly mean: TensorRef;
  readonly variance: TensorRef;
  readonly eps: number;
}

/**
 * A kernel over elements `i` of channel `c`.
 *
 * @param inputs Bindings; those of channels are indexed with c.
 * @param result WGSL expression of the result, over the bindings and `params.eps`.
 */
function channelKernel(
  name: string,
  inputs: readonly string[],
  result: string,
  type: VectorType,
): Kernel {
  const bindings: Record<string, BindingSpec> = {};
  for (const input of inputs) bindings[input] = { type, access: "read" };
  bindings.result = { type, access: "write" };
  return {
    name: `${name}.${type}`,
    bindings,
    params: { items: "u32", channels: "u32", eps: "f32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let g = 1.0 / sqrt(variance[c] + params.eps);
  result[i] = ${result};
}`,
  };
}

function perChannel(
  capture: Capture,
  name: string,
  inputs: Readonly<Record<string, TensorRef>>,
  shape: readonly number[],
  eps: number,
  expression: string,
): TensorRef {
  const channels = shape.at(-1)!;
  const pack = channels % 4 === 0 ? 4 : 1;
  const result = capture.transient(shape, name);
  const items = sizeOf(shape) / pack;
  const type = full(pack);
  capture.dispatch({
    kernel: channelKernel(name, Object.keys(inputs), expression, type),
    bindings: { ...inputs, result },
    params: { items, channels: channels / pack, eps },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * `[..., C]` normalised with given statistics.
 *
 * @param weight `[C]`
 * @param bias `[C]`
 * @throws {RangeError} When a vector has not one value a channel, or eps is negative.
 */
export function batchNormForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  bias: TensorRef,
  { mean, variance, eps }: BatchNormStatistics,
): TensorRef {
  const channels = x.shape.at(-1) ?? 0;
  for (const [name, { shape }] of Object.entries({ weight, bias, mean, variance })) {
    if (formatShape(shape) !== formatShape([channels]) || channels === 0) {
      throw new RangeError(
        `Cannot normalise ${x.label}: ${name} must have one value for each of the channels of ${
          formatShape(x.shape)
        }, got shape ${formatShape(shape)}`,
      );
    }
  }
  if (!(eps >= 0)) {
    throw new RangeError(`Cannot normalise ${x.label}: eps must be at least 0, got ${eps}`);
  }
  const inputs = { x, weight, bias, mean, variance };
  const y = "(x[i] - mean[c]) * (g * weight[c]) + bias[c]";
  return perChannel(capture, "batchNorm", inputs, x.shape, eps, y);
}

/** Gradient with respect to `x` from `dy`. */
export function batchNormInputGrad(
  capture: Capture,
  weight: TensorRef,
  dy: TensorRef,
  { variance, eps }: BatchNormStatistics,
): TensorRef {
  const inputs = { weight, variance, dy };
  return perChannel(capture, "batchNormDx", inputs, dy.shape, eps, "dy[i] * (g * weight[c])");
}

/** Gradient `[C]` with respect to the weight. */
export function batchNormWeightGrad(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  { mean, variance, eps }: BatchNormStatistics,
): TensorRef {
  const inputs = { x, mean, variance, dy };
  const product = "dy[i] * ((x[i] - mean[c]) * g)";
  const terms = perChannel(capture, "batchNormDweight", inputs, x.shape, eps, product);
  return batchNormBiasGrad(capture, terms);
}

/** Gradient `[C]` with respect to the bias. */
export function batchNormBiasGrad(capture: Capture, dy: TensorRef): TensorRef {
  const channels = dy.shape.at(-1)!;
  const sum = sumMiddle(capture, dy, [1, sizeOf(dy.shape) / channels, channels]);
  return { ...sum, shape: [channels] };
}
