/**
 * What the U-Net of guided-diffusion is built from: residual blocks that may change the resolution,
 * attention whose projections are one, and changes of resolution by themselves.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { packedAttention } from "../../../autograd/ops/attention.ts";
import { adaptiveGroupNorm } from "../../../autograd/ops/group_norm.ts";
import { filmAffine } from "../../../autograd/ops/film_affine.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import type { TimeColumns } from "../../blocks.ts";
import { pytorchInit, zeroInit } from "../../init.ts";
import { GroupNorm, Linear } from "../../layers.ts";
import { Module } from "../../module.ts";
import { type Dims, double, halve, SpatialConv } from "../../spatial.ts";

/** What happens to the resolution. */
export type Resampling = "halve" | "double" | null;

/** What all blocks of a network have in common. */
export interface BlockStyle {
  readonly dims: Dims;
  readonly groups: number;
  readonly dropout: number;
  /** Size of the embedding of time. */
  readonly timeChannels: number;
  /** Whether the embedding scales and shifts normalised values. */
  readonly scaleShift: boolean;
}

function resampled(x: Tensor, change: Resampling, dims: Dims): Tensor {
  return change === "halve" ? halve(x, dims) : change === "double" ? double(x, dims) : x;
}

/** A residual block. */
export class GuidedBlock extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: SpatialConv;
  /** From the embedding of time; the network applies those of all blocks at once. */
  readonly time: Linear;
  readonly norm2: GroupNorm;
  readonly conv2: SpatialConv;
  /** Matches the channels where input and output differ. */
  readonly shortcut: SpatialConv | undefined;

  /** @param change What it does to the resolution, on both of its branches. */
  constructor(
    inputs: number,
    outputs: number,
    readonly style: BlockStyle,
    readonly change: Resampling = null,
  ) {
    super();
    const { dims, groups, timeChannels, scaleShift } = style;
    const conv = (kernel: number, from: number, init = pytorchInit) =>
      new SpatialConv(dims, from, outputs, { kernel, init });
    this.norm1 = new GroupNorm(inputs, groups);
    this.conv1 = conv(3, inputs);
    this.time = new Linear(timeChannels, (scaleShift ? 2 : 1) * outputs, pytorchInit);
    this.norm2 = new GroupNorm(outputs, groups);
    this.conv2 = conv(3, outputs, zeroInit);
    this.shortcut = inputs === outputs ? undefined : conv(1, inputs);
  }

  /** Whether its input may be of {@linkcode join}. */
  get joins(): boolean {
    return this.shortcut !== undefined && this.change === null;
  }

  /**
   * @param x `[N, H, W, inputs]`.
   * @param time The embedding as projected for this block; of a row a slice where it is added.
   * @param depth Slices of a volume; 1 for others.
   * @returns `[N, H', W', outputs]`.
   */
  forward(x: Tensor, time: TimeColumns, depth: number): Tensor {
    const { dims, scaleShift, dropout } = this.style;
    // First, so that its gradient, as wide as the input, comes last and waits for nothing.
    const moved = resampled(x, this.change, dims);
    const residual = this.shortcut ? this.shortcut.forward(moved, depth) : moved;
    const normal = this.norm1.forward(x, { silu: true });
    const { projections, start } = time;
    const first = this.conv1.forward(
      resampled(normal, this.change, dims),
      depth,
      scaleShift ? {} : { perImage: projections, perImageStart: start },
    );
    const dropped = scaleShift
      ? this.#modulated(first, time)
      : this.norm2.forward(first, { silu: true, dropout });
    return this.conv2.forward(dropped, depth, { residual });
  }

  #modulated(x: Tensor, { projections, start }: TimeColumns): Tensor {
    const { graph } = x;
    const { weight, bias, groups, eps } = this.norm2;
    const affine = filmAffine(graph.parameter(weight), graph.parameter(bias), projections, start);
    const { dropout } = this.style;
    return adaptiveGroupNorm(x, affine, { groups, eps, silu: true, dropout });
  }
}

/** Attention of every place to all places of its sample, added to the input. */
export class GuidedAttention extends Module {
  readonly norm: GroupNorm;
  readonly qkv: SpatialConv;
  readonly output: SpatialConv;

  /**
   * @param headByHead Whether each head's queries, keys and values lie side by side.
   */
  constructor(
    readonly channels: number,
    groups: number,
    readonly heads: number,
    readonly headByHead: boolean,
  ) {
    super();
    this.norm = new GroupNorm(channels, groups);
    this.qkv = new SpatialConv(1, channels, 3 * channels, { kernel: 1, init: pytorchInit });
    this.output = new SpatialConv(1, channels, channels, { kernel: 1, init: zeroInit });
  }

  /** `[N, H, W, channels]` to the same shape. */
  forward(x: Tensor): Tensor {
    const [n = 0, height = 0, width = 0] = x.shape;
    const qkv = this.qkv.forward(this.norm.forward(x), 1);
    const mixed = packedAttention(reshape(qkv, [n, height * width, 3 * this.channels]), {
      heads: this.heads,
      groups: this.headByHead ? this.heads : 1,
    });
    return this.output.forward(reshape(mixed, x.shape), 1, { residual: x });
  }
}

/** A change of resolution by itself. */
export class GuidedResampling extends Module {
  /** Absent where nothing is learnt. */
  readonly conv: SpatialConv | undefined;

  /** @param learned Whether a convolution follows, or halves by itself. */
  constructor(
    channels: number,
    readonly dims: Dims,
    readonly change: "halve" | "double",
    learned: boolean,
  ) {
    super();
    const halves = change === "halve";
    this.conv = learned
      ? new SpatialConv(dims, channels, channels, { kernel: 3, halve: halves, init: pytorchInit })
      : undefined;
  }

  /** `[N, H, W, C]` to `[N, H', W', C]`. */
  forward(x: Tensor, depth: number): Tensor {
    const { conv, change, dims } = this;
    if (!conv) return resampled(x, change, dims);
    if (change === "double" && dims === 2) return conv.forward(x, depth, { doubled: true });
    return conv.forward(change === "double" ? double(x, dims) : x, depth);
  }
}
