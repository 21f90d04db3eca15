/**
 * Linear layers and convolutions with the initialisations of EDM's two networks, with or without a bias
 * and a change of resolution.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { filterResample } from "../../../autograd/ops/filter_resample.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { type Initializer, Parameter } from "../../../autograd/parameter.ts";
import { filterPad, type FilterResample } from "../../../kernels/layout/filter_resample.ts";
import { fanInUniform, fans, xavierUniform, zeros } from "../../init.ts";
import type { ConvolutionExtras } from "../../layers.ts";
import { Module } from "../../module.ts";

/** How a weight and its bias start out. */
export type Start = (shape: readonly number[]) => [weight: Initializer, bias: Initializer];

/** Glorot and Bengio's uniform distribution times a gain; SongUNet's. */
export function xavier(gain = 1): Start {
  return (shape) => [xavierUniform(shape, gain), zeros];
}

/** PyTorch's own, weight and bias uniform within the root of the inputs; DhariwalUNet's. */
export const pytorch: Start = (shape) => {
  const init = fanInUniform(fans(shape).fanIn);
  return [init, init];
};

/** All 0. */
export const nothing: Start = () => [zeros, zeros];

/** `y = x W + b`, or without a bias. */
export class Projection extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    start: Start,
    { bias = true }: { readonly bias?: boolean } = {},
  ) {
    super();
    const shape = [inputs, outputs];
    const [weights, biases] = start(shape);
    this.weight = new Parameter(shape, weights);
    this.bias = bias ? new Parameter([outputs], biases) : undefined;
  }

  /** `[..., inputs]` to `[..., outputs]`. */
  forward(x: Tensor): Tensor {
    const { graph } = x;
    const bias = this.bias && graph.parameter(this.bias);
    return linear(x, graph.parameter(this.weight), bias);
  }
}

/** A change of resolution around a convolution. */
export interface Resampling extends FilterResample {
  /**
   * Whether the filter comes after the convolution, on an image that is padded once for both; only
   * downwards.
   */
  readonly after?: boolean;
}

/** A square convolution of an odd side that keeps the sides but for what it is resampled. */
export class Convolution extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    readonly kernel: number,
    start: Start,
    readonly resampling?: Resampling | undefined,
  ) {
    super();
    const shape = [kernel, kernel, inputs, outputs];
    const [weights, biases] = start(shape);
    this.weight = new Parameter(shape, weights);
    this.bias = new Parameter([outputs], biases);
  }

  /** `[N, H, W, inputs]` to `[N, H', W', outputs]`. */
  forward(x: Tensor, extras: ConvolutionExtras = {}): Tensor {
    const { graph } = x;
    const { resampling } = this;
    const own = (this.kernel - 1) / 2;
    const filtered = resampling && !resampling.after ? filterResample(x, resampling) : x;
    const pad = resampling?.after ? own + filterPad(resampling.taps) : own;
    const y = conv2d(filtered, graph.parameter(this.weight), {
      bias: graph.parameter(this.bias),
      padding: [pad, pad],
      ...extras,
    });
    return resampling?.after ? filterResample(y, { ...resampling, pad: 0 }) : y;
  }
}
