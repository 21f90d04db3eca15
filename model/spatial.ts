/**
 * Layers over signals, images and volumes. All are tensors `[N, H, W, C]` inside a network: a signal
 * `[N, L, C]` is an image of height 1; of a volume `[N, D, H, W, C]` the slices lie one below the other,
 * `[N, D H, W, C]`, so that only what mixes slices must know of them.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { conv2d } from "../autograd/ops/conv2d.ts";
import { avgPool2d } from "../autograd/ops/pool.ts";
import { reshape } from "../autograd/ops/reshape.ts";
import { unfoldDepth } from "../autograd/ops/unfold_depth.ts";
import { upsampleNearest2x } from "../autograd/ops/upsample.ts";
import { Parameter } from "../autograd/parameter.ts";
import { type LayerInit, xavierInit } from "./init.ts";
import type { ConvolutionExtras } from "./layers.ts";
import { Module } from "./module.ts";

/** Axes along which convolutions go. */
export type Dims = 1 | 2 | 3;

/** Choices of a {@linkcode SpatialConv}. */
export interface SpatialConvOptions {
  /** Side of the kernel; odd. */
  readonly kernel: number;
  /** Whether height and width are halved; not the depth of volumes. False unless given. */
  readonly halve?: boolean;
  /** Xavier-uniform weights and biases of 0 unless given. */
  readonly init?: LayerInit;
}

/** Convolution along one, two or three axes, padded so that sides stay or are halved. */
export class SpatialConv extends Module {
  /** `[1, k, ci, co]`, `[k, k, ci, co]`, or `[k, k, k ci, co]` with the depth before the channels. */
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly kernel: number;
  readonly halve: boolean;

  /**
   * @param inputs Channels of the input.
   * @param outputs Channels of the output.
   */
  constructor(
    readonly dims: Dims,
    readonly inputs: number,
    readonly outputs: number,
    { kernel, halve = false, init = xavierInit() }: SpatialConvOptions,
  ) {
    super();
    this.kernel = kernel;
    this.halve = halve;
    const shape = [dims === 1 ? 1 : kernel, kernel, (dims === 3 ? kernel : 1) * inputs, outputs];
    const { weight, bias } = init(shape);
    this.weight = new Parameter(shape, weight);
    this.bias = new Parameter([outputs], bias);
  }

  /**
   * `[N, H, W, inputs]` to `[N, H', W', outputs]`.
   *
   * @param depth Slices of a volume; 1 for others.
   * @param extras `perImage` has a row a slice.
   */
  forward(x: Tensor, depth: number, { residual, ...extras }: ConvolutionExtras = {}): Tensor {
    const { graph } = x;
    const { dims, kernel } = this;
    const across = (kernel - 1) / 2;
    const slices = dims === 3 ? eachSlice(x, depth, kernel) : x;
    const y = conv2d(slices, graph.parameter(this.weight), {
      bias: graph.parameter(this.bias),
      stride: this.halve ? 2 : 1,
      padding: [dims === 1 ? 0 : across, across],
      residual: residual && dims === 3 ? unstack(residual, depth) : residual,
      ...extras,
    });
    return dims === 3 ? stack(y, depth) : y;
  }
}

/** `[N, D H, W, C]` to `[N D, H, W, k C]`: of each slice those that a kernel covers. */
function eachSlice(x: Tensor, depth: number, kernel: number): Tensor {
  if (kernel === 1) return unstack(x, depth);
  const [n = 0, rows = 0, width = 0, channels = 0] = x.shape;
  const height = rows / depth;
  const volume = reshape(x, [n, depth, height * width, channels]);
  const unfolded = unfoldDepth(volume, { kernel, padding: (kernel - 1) / 2 });
  return reshape(unfolded, [n * depth, height, width, kernel * channels]);
}

/** `[N, D H, W, C]` to `[N D, H, W, C]`. */
function unstack(x: Tensor, depth: number): Tensor {
  const [n = 0, rows = 0, width = 0, channels = 0] = x.shape;
  return reshape(x, [n * depth, rows / depth, width, channels]);
}

/** `[N D, H, W, C]` to `[N, D H, W, C]`. */
function stack(x: Tensor, depth: number): Tensor {
  const [slices = 0, height = 0, width = 0, channels = 0] = x.shape;
  return reshape(x, [slices / depth, depth * height, width, channels]);
}

/** Means of neighbours, half the width and, but for signals, half the height. */
export function halve(x: Tensor, dims: Dims): Tensor {
  return avgPool2d(x, { kernel: dims === 1 ? [1, 2] : 2 });
}

/** Nearest neighbours, twice the width and, but for signals, twice the height. */
export function double(x: Tensor, dims: Dims): Tensor {
  return upsampleNearest2x(x, dims === 1 ? "width" : "both");
}
