/**
 * What U-Nets are built from: residual blocks, attention over pixels, changes of resolution. Source:
 * Ho et al. 2020 (arXiv 2006.11239), appendix B.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { concat } from "../autograd/ops/concat.ts";
import { join } from "../autograd/ops/join.ts";
import { parallelLinear } from "../autograd/ops/parallel_linear.ts";
import { projectedAttention } from "../autograd/ops/projected_attention.ts";
import { Conv2d, GroupNorm, Linear } from "./layers.ts";
import { Module } from "./module.ts";

/** Gain of layers that end a residual branch or the network: they start out as almost nothing. */
export const NEARLY_ZERO_GAIN = 1e-5;

/** Attention of every pixel to all pixels of its image, added to the input. */
export class AttentionBlock extends Module {
  readonly norm: GroupNorm;
  readonly query: Conv2d;
  readonly key: Conv2d;
  readonly value: Conv2d;
  readonly output: Conv2d;

  constructor(readonly channels: number, groups: number) {
    super();
    const projection = () => new Conv2d(channels, channels, { kernel: 1 });
    this.norm = new GroupNorm(channels, groups);
    this.query = projection();
    this.key = projection();
    this.value = projection();
    // The reference code gives this layer a gain of 1e-5 and then resets it to 1 from outside.
    this.output = projection();
  }

  /** `[N, H, W, channels]` to the same shape. */
  forward(x: Tensor): Tensor {
    const { graph } = x;
    const projections = [this.query, this.key, this.value].map(({ weight, bias }) => ({
      weight: graph.parameter(weight),
      bias: graph.parameter(bias),
    }));
    const mixed = projectedAttention(this.norm.forward(x), projections, {
      scale: this.channels ** -0.5,
    });
    return this.output.forward(mixed, { residual: x });
  }
}

/** Choices of a {@linkcode ResidualBlock}. */
export interface ResidualBlockOptions {
  /** Channels of the input. */
  readonly inputs: number;
  /** Channels of the output. */
  readonly outputs: number;
  /** Size of the time embedding. */
  readonly timeChannels: number;
  /** Groups of the normalisations. */
  readonly groups: number;
  /** Probability that dropout zeroes an element. */
  readonly dropout: number;
  /** Whether attention follows. */
  readonly attention: boolean;
}

/** Where a block's projection of the embedding of time is. */
export interface TimeColumns {
  /** Those of all blocks, side by side: `[N, C]`. */
  readonly projections: Tensor;
  /** The block's first column. */
  readonly start: number;
}

/** Two convolutions around the time embedding, a shortcut past them, then attention if asked for. */
export class ResidualBlock extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  /** From the embedding of time to the outputs; the network applies those of all blocks at once. */
  readonly time: Linear;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;
  /** Matches the channels where input and output differ. */
  readonly shortcut: Conv2d | undefined;
  readonly attention: AttentionBlock | undefined;
  readonly dropout: number;

  constructor(options: ResidualBlockOptions) {
    super();
    const { inputs, outputs, groups } = options;
    this.norm1 = new GroupNorm(inputs, groups);
    this.conv1 = new Conv2d(inputs, outputs, { kernel: 3 });
    this.time = new Linear(options.timeChannels, outputs);
    this.norm2 = new GroupNorm(outputs, groups);
    this.conv2 = new Conv2d(outputs, outputs, { kernel: 3, gain: NEARLY_ZERO_GAIN });
    this.shortcut = inputs === outputs ? undefined : new Conv2d(inputs, outputs, { kernel: 1 });
    this.attention = options.attention ? new AttentionBlock(outputs, groups) : undefined;
    this.dropout = options.dropout;
  }

  /**
   * What is inside is made again in the backward pass of a graph that recomputes blocks.
   *
   * @param x `[N, H, W, inputs]`, or what comes before `skip` in its channels.
   * @param time The embedding of time as projected for this block, in some columns of `[N, C]`.
   * @param skip Joined to the channels of `x`.
   * @returns `[N, H, W, outputs]`.
   */
  forward(x: Tensor, time: TimeColumns, skip?: Tensor): Tensor {
    const { graph } = x;
    const both = this.shortcut ? join : concat;
    const sum = graph.checkpoint(() => this.#convolve(skip ? both(x, skip) : x, time));
    const { attention } = this;
    return attention ? graph.checkpoint(() => attention.forward(sum)) : sum;
  }

  #convolve(x: Tensor, { projections, start }: TimeColumns): Tensor {
    // First, so that its gradient, as wide as the input, comes last and waits for nothing.
    const residual = this.shortcut ? this.shortcut.forward(x) : x;
    const first = this.conv1.forward(this.norm1.forward(x, { silu: true }), {
      perImage: projections,
      perImageStart: start,
    });
    const dropped = this.norm2.forward(first, { silu: true, dropout: this.dropout });
    return this.conv2.forward(dropped, { residual });
  }
}

/**
 * Projects the embedding of time for many blocks in one product.
 *
 * @param embedding SiLU of it, `[N, timeChannels]`.
 */
export function projectTime<B extends { readonly time: Linear }>(
  embedding: Tensor,
  blocks: readonly B[],
): (block: B) => TimeColumns {
  const { graph } = embedding;
  const layers = blocks.map(({ time }) => ({
    weight: graph.parameter(time.weight),
    bias: graph.parameter(time.bias),
  }));
  const projections = parallelLinear(embedding, layers);
  const starts = new Map<B, number>();
  let start = 0;
  for (const block of blocks) {
    starts.set(block, start);
    start += block.time.outputs;
  }
  return (block) => ({ projections, start: starts.get(block) ?? 0 });
}

/** Half the resolution by a strided convolution. */
export class Downsample extends Module {
  readonly conv: Conv2d;

  constructor(channels: number) {
    super();
    this.conv = new Conv2d(channels, channels, { kernel: 3, stride: 2 });
  }

  /** `[N, H, W, C]` to `[N, H / 2, W / 2, C]`, rounded up. */
  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

/** Twice the resolution: nearest neighbours, then a convolution. */
export class Upsample extends Module {
  readonly conv: Conv2d;

  constructor(channels: number) {
    super();
    this.conv = new Conv2d(channels, channels, { kernel: 3 });
  }

  /** `[N, H, W, C]` to `[N, 2 H, 2 W, C]`. */
  forward(x: Tensor): Tensor {
    return this.conv.forward(x, { doubled: true });
  }
}
