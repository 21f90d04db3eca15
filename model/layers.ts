/**
 * Layers with weights: linear, convolution and group normalisation. Images are channels-last.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { conv2d } from "../autograd/ops/conv2d.ts";
import { groupNorm } from "../autograd/ops/group_norm.ts";
import { linear } from "../autograd/ops/matmul.ts";
import { Parameter } from "../autograd/parameter.ts";
import { type LayerInit, ones, xavierInit, zeros } from "./init.ts";
import { Module } from "./module.ts";

/** `y = x W + b`. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /**
   * @param inputs Size of the input's last axis.
   * @param outputs Size of the output's last axis.
   * @param init Xavier-uniform weights and biases of 0 unless given.
   */
  constructor(readonly inputs: number, readonly outputs: number, init: LayerInit = xavierInit()) {
    super();
    const shape = [inputs, outputs], { weight, bias } = init(shape);
    this.weight = new Parameter(shape, weight);
    this.bias = new Parameter([outputs], bias);
  }

  /** `[..., inputs]` to `[..., outputs]`. */
  forward(x: Tensor): Tensor {
    return linear(x, x.graph.parameter(this.weight), x.graph.parameter(this.bias));
  }
}

/** Choices of a {@linkcode Conv2d}. */
export interface Conv2dOptions {
  /** Side of the square kernel; odd. */
  readonly kernel: number;
  /** Distance between outputs, 1 unless given. */
  readonly stride?: number;
  /** Gain of the Xavier-uniform weights, 1 unless given; biases start at 0. */
  readonly gain?: number;
  /** How it starts out where that is not how. */
  readonly init?: LayerInit;
  /** Whether all zeros lie below and to the right, as TensorFlow pads strided ones; else around. */
  readonly padAfter?: boolean;
}

/** What a convolution does while its input or its output is at hand. */
export interface ConvolutionExtras {
  /** Added to every pixel of an image: `co` columns of `[N, C]`. */
  readonly perImage?: Tensor;
  /** The first column of `perImage` that is added, where it has more. */
  readonly perImageStart?: number;
  /** Added element by element: the output's shape. */
  readonly residual?: Tensor;
  /** Whether the input is first made twice as high and wide, by nearest neighbours. */
  readonly doubled?: boolean;
}

/** Square convolution, padded so that stride 1 keeps the image's size. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly kernel: number;
  readonly stride: number;
  readonly padAfter: boolean;

  /**
   * @param inputs Channels of the input.
   * @param outputs Channels of the output.
   */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    { kernel, stride = 1, gain = 1, init = xavierInit(gain), padAfter = false }: Conv2dOptions,
  ) {
    super();
    this.kernel = kernel;
    this.stride = stride;
    this.padAfter = padAfter;
    const shape = [kernel, kernel, inputs, outputs], { weight, bias } = init(shape);
    this.weight = new Parameter(shape, weight);
    this.bias = new Parameter([outputs], bias);
  }

  /** Zeros around the image, in pixels a side. */
  get padding(): number {
    return (this.kernel - 1) / 2;
  }

  /** `[N, H, W, inputs]` to `[N, ceil(H / stride), ceil(W / stride), outputs]`. */
  forward(x: Tensor, extras: ConvolutionExtras = {}): Tensor {
    const { graph } = x;
    return conv2d(x, graph.parameter(this.weight), {
      bias: graph.parameter(this.bias),
      stride: this.stride,
      ...this.padAfter
        ? { padding: [0, 0], paddingAfter: [this.padding, this.padding] }
        : { padding: [this.padding, this.padding] },
      ...extras,
    });
  }
}

/** What is added to a variance unless a network wants another. */
export const NORM_EPS = 1e-5;

/** Group normalisation (Wu and He 2018). */
export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /**
   * @param channels Size of the last axis; a multiple of `groups`.
   * @param groups Number of groups of neighbouring channels.
   * @param eps Added to the variance.
   */
  constructor(channels: number, readonly groups: number, readonly eps = NORM_EPS) {
    super();
    this.weight = new Parameter([channels], ones);
    this.bias = new Parameter([channels], zeros);
  }

  /**
   * `[N, H, W, channels]` to the same shape, with SiLU after the normalisation and dropout after that if
   * asked for.
   */
  forward(
    x: Tensor,
    { silu = false, dropout }: { readonly silu?: boolean; readonly dropout?: number } = {},
  ): Tensor {
    const { graph } = x;
    const weight = graph.parameter(this.weight), bias = graph.parameter(this.bias);
    return groupNorm(x, weight, bias, { groups: this.groups, eps: this.eps, silu, dropout });
  }
}
