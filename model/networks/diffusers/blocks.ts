/**
 * Blocks of Hugging Face diffusers: `ResnetBlock2D`, `Attention` over pixels, and what changes the
 * resolution. Properties are named as they are there, so that parameters' names follow.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { join } from "../../../autograd/ops/join.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { film } from "../../../autograd/ops/film.ts";
import { gelu } from "../../../autograd/ops/gelu.ts";
import { avgPool2d } from "../../../autograd/ops/pool.ts";
import { projectedAttention } from "../../../autograd/ops/projected_attention.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { upsampleNearest2x } from "../../../autograd/ops/upsample.ts";
import { pytorchInit } from "../../init.ts";
import { Conv2d, GroupNorm, Linear } from "../../layers.ts";
import { Module } from "../../module.ts";

/** An activation. */
export type Activation = "silu" | "gelu";

/** Applies one. */
export function activate(x: Tensor, act: Activation): Tensor {
  return act === "silu" ? silu(x) : gelu(x);
}

/** A square convolution that begins as PyTorch's do. */
export function conv(
  inputs: number,
  outputs: number,
  { kernel = 3, stride = 1, padAfter = false } = {},
): Conv2d {
  return new Conv2d(inputs, outputs, { kernel, stride, padAfter, init: pytorchInit });
}

/** A linear layer that begins as PyTorch's do. */
export function dense(inputs: number, outputs: number): Linear {
  return new Linear(inputs, outputs, pytorchInit);
}

/** What blocks of a network have in common. */
export interface BlockStyle {
  /** Groups of normalisations. */
  readonly groups: number;
  /** Added to their variances. */
  readonly eps: number;
  readonly act: Activation;
  /** Probability that dropout zeroes an element. */
  readonly dropout: number;
  /** Size of the embedding of time; none where there is no time. */
  readonly timeChannels?: number;
  /** Whether time scales and shifts the second normalisation, instead of being added before it. */
  readonly modulated?: boolean;
  /** What sums are divided by; 1 unless given. */
  readonly divisor?: number;
}

/** Where a block's projection of the embedding of time is. */
export interface TimeColumns {
  /** Those of all blocks, side by side: `[N, C]`. */
  readonly projections: Tensor;
  /** The block's first column. */
  readonly start: number;
}

/** Two convolutions around the embedding of time, and a shortcut past them. */
export class Resnet extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  /** From the embedding of time; the network applies those of all blocks at once. */
  readonly timeEmbProj: Linear | undefined;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;
  /** Matches the channels where input and output differ. */
  readonly convShortcut: Conv2d | undefined;

  /** @param resample Whether it halves or doubles the resolution after the first activation. */
  constructor(
    inputs: number,
    outputs: number,
    readonly style: BlockStyle,
    readonly resample?: "down" | "up",
  ) {
    super();
    const { groups, eps, timeChannels, modulated } = style;
    this.norm1 = new GroupNorm(inputs, groups, eps);
    this.conv1 = conv(inputs, outputs);
    this.timeEmbProj = timeChannels
      ? dense(timeChannels, modulated ? 2 * outputs : outputs)
      : undefined;
    this.norm2 = new GroupNorm(outputs, groups, eps);
    this.conv2 = conv(outputs, outputs);
    this.convShortcut = inputs === outputs ? undefined : conv(inputs, outputs, { kernel: 1 });
  }

  /**
   * What is inside is made again in the backward pass of a graph that recomputes blocks.
   *
   * @param x `[N, H, W, inputs]`, or what comes before `skip` in its channels.
   * @param time Where the network has an embedding of time.
   * @param skip Joined to the channels of `x`.
   */
  forward(x: Tensor, time?: TimeColumns, skip?: Tensor): Tensor {
    const both = this.convShortcut && !this.resample ? join : concat;
    return x.graph.checkpoint(() => this.#convolve(skip ? both(x, skip) : x, time));
  }

  #convolve(x: Tensor, time: TimeColumns | undefined): Tensor {
    const { act, modulated, divisor = 1 } = this.style;
    const around = this.#resampled(x);
    const residual = this.convShortcut ? this.convShortcut.forward(around) : around;
    const active = act === "silu"
      ? this.norm1.forward(x, { silu: true })
      : activate(this.norm1.forward(x), act);
    const first = this.conv1.forward(
      this.#resampled(active),
      time && !modulated ? { perImage: time.projections, perImageStart: time.start } : {},
    );
    return divided(this.conv2.forward(this.#second(first, time), { residual }), divisor);
  }

  #resampled(x: Tensor): Tensor {
    if (this.resample === "up") return upsampleNearest2x(x);
    return this.resample === "down" ? avgPool2d(x, { kernel: [2, 2], stride: [2, 2] }) : x;
  }

  #second(h: Tensor, time: TimeColumns | undefined): Tensor {
    const { norm2, style: { act, dropout: p, modulated } } = this;
    if (time && modulated) {
      const changes = columns(time.projections, time.start, 2 * this.conv1.outputs);
      const moved = film(norm2.forward(h), changes, { silu: act === "silu" });
      return dropout(act === "silu" ? moved : activate(moved, act), p);
    }
    return act === "silu"
      ? norm2.forward(h, { silu: true, dropout: p })
      : dropout(activate(norm2.forward(h), act), p);
  }
}

function divided(x: Tensor, divisor: number): Tensor {
  return divisor === 1 ? x : scale(x, 1 / divisor);
}

/** Attention of every pixel to all pixels of its image, added to the input. */
export class PixelAttention extends Module {
  readonly groupNorm: GroupNorm | undefined;
  readonly toQ: Conv2d;
  readonly toK: Conv2d;
  readonly toV: Conv2d;
  /** A list, as there. */
  readonly toOut: readonly [Conv2d];
  readonly heads: number;

  /**
   * @param groups Of its normalisation; null for none.
   * @param headChannels Channels of a head; as many heads as there is room for.
   */
  constructor(
    channels: number,
    groups: number | null,
    readonly headChannels: number,
    private readonly style: Pick<BlockStyle, "eps" | "divisor">,
  ) {
    super();
    this.heads = Math.floor(channels / headChannels);
    const inner = this.heads * headChannels;
    this.groupNorm = groups === null ? undefined : new GroupNorm(channels, groups, style.eps);
    const projection = () => conv(channels, inner, { kernel: 1 });
    this.toQ = projection();
    this.toK = projection();
    this.toV = projection();
    this.toOut = [conv(inner, channels, { kernel: 1 })];
  }

  /** `[N, H, W, channels]` to the same shape. */
  forward(x: Tensor): Tensor {
    return x.graph.checkpoint(() => this.#attend(x));
  }

  #attend(x: Tensor): Tensor {
    const { graph } = x;
    const { heads, headChannels } = this;
    const normal = this.groupNorm ? this.groupNorm.forward(x) : x;
    const layers = [this.toQ, this.toK, this.toV].map(({ weight, bias }) => ({
      weight: graph.parameter(weight),
      bias: graph.parameter(bias),
    }));
    const mixed = projectedAttention(normal, layers, { heads, scale: headChannels ** -0.5 });
    const sum = this.toOut[0].forward(mixed, { residual: x });
    return divided(sum, this.style.divisor ?? 1);
  }
}

/** Half the resolution by a strided convolution. */
export class Downsampler extends Module {
  readonly conv: Conv2d;

  /** @param padding Zeros around; with 0, below and to the right alone. */
  constructor(channels: number, padding: number) {
    super();
    this.conv = conv(channels, channels, { stride: 2, padAfter: padding === 0 });
  }

  /** `[N, H, W, C]` to `[N, H / 2, W / 2, C]`. */
  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

/** Twice the resolution: nearest neighbours, then a convolution. */
export class Upsampler extends Module {
  readonly conv: Conv2d;

  constructor(channels: number) {
    super();
    this.conv = conv(channels, channels);
  }

  /** `[N, H, W, C]` to `[N, 2 H, 2 W, C]`. */
  forward(x: Tensor): Tensor {
    return this.conv.forward(x, { doubled: true });
  }
}

/** Two residual blocks, with attention between them by choice. */
export class MidBlock extends Module {
  readonly attentions: readonly PixelAttention[];
  readonly resnets: readonly [Resnet, Resnet];

  /** @param attention Its groups, null for no normalisation, and the channels of a head. */
  constructor(
    channels: number,
    style: BlockStyle,
    attention?: { readonly groups: number | null; readonly headChannels: number },
  ) {
    super();
    this.attentions = attention
      ? [new PixelAttention(channels, attention.groups, attention.headChannels, style)]
      : [];
    this.resnets = [new Resnet(channels, channels, style), new Resnet(channels, channels, style)];
  }

  /** `[N, H, W, C]` to the same shape. */
  forward(x: Tensor, time: (block: Resnet) => TimeColumns | undefined = () => undefined): Tensor {
    const [first, second] = this.resnets;
    let h = first.forward(x, time(first));
    for (const one of this.attentions) h = one.forward(h);
    return second.forward(h, time(second));
  }
}
