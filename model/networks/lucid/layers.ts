/**
 * Layers as these code bases have them: their initial weights, normalisations and paddings.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { groupNorm } from "../../../autograd/ops/group_norm.ts";
import { layerNorm } from "../../../autograd/ops/layer_norm.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { rmsNorm } from "../../../autograd/ops/rms_norm.ts";
import { standardize } from "../../../autograd/ops/standardize.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { fanInUniform, lecunNormal, ones, zeros } from "../../init.ts";
import { Module } from "../../module.ts";
import type { Style } from "./styles.ts";

/** Initial weights and biases: PyTorch's or flax's. */
function initials({ groups }: Style, fanIn: number) {
  return groups === undefined
    ? { weight: fanInUniform(fanIn), bias: fanInUniform(fanIn) }
    : { weight: lecunNormal(fanIn), bias: zeros };
}

/** `y = x W + b`. */
export class Dense extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(style: Style, inputs: number, readonly outputs: number) {
    super();
    const { weight, bias } = initials(style, inputs);
    this.weight = new Parameter([inputs, outputs], weight);
    this.bias = new Parameter([outputs], bias);
  }

  /** `[..., inputs]` to `[..., outputs]`. */
  forward(x: Tensor): Tensor {
    return linear(x, x.graph.parameter(this.weight), x.graph.parameter(this.bias));
  }
}

/** Choices of a {@linkcode Conv}. */
export interface ConvOptions {
  /** Side of the kernel; odd ones keep the image's size where they do not stride. */
  readonly kernel: number;
  /** Distance between outputs, 1 unless given. */
  readonly stride?: number;
  /** Whether there is a bias; true unless given. */
  readonly biased?: boolean;
  /** Whether weights are standardised (Qiao et al. 2019); false unless given. */
  readonly standardized?: boolean;
}

/** Convolution over all places of a sample. */
export class Conv extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly stride: number;
  readonly padding: readonly [number, number];
  readonly standardized: boolean;

  constructor(
    style: Style,
    inputs: number,
    outputs: number,
    { kernel, stride = 1, biased = true, standardized = false }: ConvOptions,
  ) {
    super();
    const height = style.dims === 1 ? 1 : kernel;
    const { weight, bias } = initials(style, inputs * height * kernel);
    this.weight = new Parameter([height, kernel, inputs, outputs], weight);
    this.bias = biased ? new Parameter([outputs], bias) : undefined;
    this.stride = stride;
    this.padding = [Math.floor((height - 1) / 2), Math.floor((kernel - 1) / 2)];
    this.standardized = standardized;
  }

  /** `[N, H, W, inputs]` to `[N, H / stride, W / stride, outputs]`; `residual` is added to it. */
  forward(x: Tensor, residual?: Tensor): Tensor {
    const { graph } = x;
    const weight = graph.parameter(this.weight);
    return conv2d(x, this.standardized ? standardize(weight, STANDARDIZE_EPS) : weight, {
      bias: this.bias && graph.parameter(this.bias),
      stride: this.stride,
      padding: this.padding,
      residual,
    });
  }
}

/** Added to the variance of weights. */
const STANDARDIZE_EPS = 1e-5;

/** Added to the variance of group normalisations: flax's default. */
const GROUP_EPS = 1e-6;

/** The normalisation of a residual block's convolutions. */
export class BlockNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly groups: number | undefined;

  constructor(style: Style, channels: number) {
    super();
    this.groups = style.groups;
    this.weight = new Parameter([channels], ones);
    this.bias = style.groups === undefined ? undefined : new Parameter([channels], zeros);
  }

  /** `[N, H, W, C]` to the same shape, with SiLU behind it if asked for. */
  forward(x: Tensor, { silu = false }: { readonly silu?: boolean } = {}): Tensor {
    const { graph } = x;
    const weight = graph.parameter(this.weight);
    if (this.groups === undefined || !this.bias) return rmsNorm(x, { weight, silu });
    const bias = graph.parameter(this.bias);
    return groupNorm(x, weight, bias, { groups: this.groups, eps: GROUP_EPS, silu });
  }
}

/** The normalisation of attention: a pixel's channels, without a bias. */
export class PixelNorm extends Module {
  readonly weight: Parameter;
  /** Whether the mean is taken out as well. */
  readonly centred: boolean;

  constructor(style: Style, channels: number) {
    super();
    this.centred = style.groups !== undefined;
    this.weight = new Parameter([channels], ones);
  }

  /** `[N, H, W, C]` to the same shape. */
  forward(x: Tensor): Tensor {
    const { graph } = x;
    const weight = graph.parameter(this.weight);
    if (!this.centred) return rmsNorm(x, { weight });
    const channels = x.shape.at(-1) ?? 0;
    const none = graph.capture.constant([channels], new Float32Array(channels), "no bias");
    return layerNorm(x, weight, graph.constant(none));
  }
}
