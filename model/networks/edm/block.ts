/**
 * The residual block of EDM's networks (UNetBlock in NVlabs/edm): two convolutions, of which the first
 * may halve or double the resolution, around what the embedding says, a shortcut past them, and
 * attention.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { film } from "../../../autograd/ops/film.ts";
import { filterResample } from "../../../autograd/ops/filter_resample.ts";
import { parallelLinear } from "../../../autograd/ops/parallel_linear.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import type { TimeColumns } from "../../blocks.ts";
import { GroupNorm } from "../../layers.ts";
import { Module } from "../../module.ts";
import { Convolution, Projection, type Start } from "./layers.ts";
import { groupsOf } from "./options.ts";

/** What blocks of a network have in common. */
export interface BlockStyle {
  /** Width of the embedding. */
  readonly embedding: number;
  /** Whether the embedding scales and shifts what is normalised; else it is added before that. */
  readonly adaptiveScale: boolean;
  /** Factor of the sums with a shortcut. */
  readonly skipScale: number;
  /** Added to variances. */
  readonly eps: number;
  /** Probability of dropout. */
  readonly dropout: number;
  /** Filter that resolution is changed through. */
  readonly taps: readonly number[];
  /** Whether a shortcut past a change of resolution is always a convolution. */
  readonly resampleProjection: boolean;
  /** How layers start: most, those of attention, and those that end a branch. */
  readonly start: Readonly<Record<"layer" | "attention" | "last", Start>>;
}

/** What blocks differ in. */
export interface BlockOptions {
  readonly inputs: number;
  readonly outputs: number;
  readonly resample?: "down" | "up" | undefined;
  /** Heads of attention; 0 for none. */
  readonly heads?: number | undefined;
}

/** See the module. */
export class Block extends Module {
  readonly norm0: GroupNorm;
  readonly conv0: Convolution;
  /** From the embedding; the network applies those of all blocks at once. */
  readonly affine: Projection;
  readonly norm1: GroupNorm;
  readonly conv1: Convolution;
  readonly skip: Convolution | undefined;
  readonly norm2: GroupNorm | undefined;
  /** Queries, then keys, then values; of each, head by head. */
  readonly qkv: Convolution | undefined;
  readonly proj: Convolution | undefined;

  constructor(readonly options: BlockOptions, readonly style: BlockStyle) {
    super();
    const { inputs, outputs, resample: way, heads = 0 } = options;
    const { eps, start } = style;
    const resampling = way && { taps: style.taps, way };
    const norm = (channels: number) => new GroupNorm(channels, groupsOf(channels), eps);
    this.norm0 = norm(inputs);
    this.conv0 = new Convolution(inputs, outputs, 3, start.layer, resampling);
    const columns = outputs * (style.adaptiveScale ? 2 : 1);
    this.affine = new Projection(style.embedding, columns, start.layer);
    this.norm1 = norm(outputs);
    this.conv1 = new Convolution(outputs, outputs, 3, start.last);
    const projected = inputs !== outputs || (way !== undefined && style.resampleProjection);
    this.skip = projected
      ? new Convolution(inputs, outputs, 1, start.layer, resampling)
      : undefined;
    const attends = heads > 0;
    this.norm2 = attends ? norm(outputs) : undefined;
    this.qkv = attends ? new Convolution(outputs, 3 * outputs, 1, start.attention) : undefined;
    this.proj = attends ? new Convolution(outputs, outputs, 1, start.last) : undefined;
  }

  /** Whether its input may be of {@linkcode join}. */
  get joins(): boolean {
    return this.skip !== undefined && this.options.resample === undefined;
  }

  /**
   * What is inside is made again in the backward pass of a graph that recomputes blocks.
   *
   * @param x `[N, H, W, inputs]`
   * @param told What the embedding says to this block.
   * @returns `[N, H', W', outputs]`
   */
  forward(x: Tensor, told: TimeColumns): Tensor {
    const { graph } = x;
    const sum = graph.checkpoint(() => this.#convolve(x, told));
    return this.qkv ? graph.checkpoint(() => this.#attend(sum)) : sum;
  }

  #convolve(x: Tensor, { projections, start }: TimeColumns): Tensor {
    const { style, options } = this;
    const residual = this.skip
      ? this.skip.forward(x)
      : options.resample
      ? filterResample(x, { taps: style.taps, way: options.resample })
      : x;
    const normal = this.norm0.forward(x, { silu: true });
    let h: Tensor;
    if (style.adaptiveScale) {
      const first = this.norm1.forward(this.conv0.forward(normal));
      h = dropout(film(first, projections, { start, silu: true }), style.dropout);
    } else {
      const first = this.conv0.forward(normal, { perImage: projections, perImageStart: start });
      h = this.norm1.forward(first, { silu: true, dropout: style.dropout });
    }
    return scaled(this.conv1.forward(h, { residual }), style.skipScale);
  }

  #attend(x: Tensor): Tensor {
    const { outputs, heads = 1 } = this.options;
    const [n = 0, height = 0, width = 0] = x.shape;
    const all = reshape(this.qkv!.forward(this.norm2!.forward(x)), [
      n,
      height * width,
      3 * outputs,
    ]);
    const [q, k, v] = [0, 1, 2].map((part) => columns(all, part * outputs, outputs));
    const mixed = reshape(attention(q!, k!, v!, { heads }), x.shape);
    return scaled(this.proj!.forward(mixed, { residual: x }), this.style.skipScale);
  }
}

/** `factor x`, or `x` itself. */
export function scaled(x: Tensor, factor: number): Tensor {
  return factor === 1 ? x : scale(x, factor);
}

/** What the embedding says to every block, in one product. */
export function tell(embedding: Tensor, blocks: readonly Block[]): (block: Block) => TimeColumns {
  const { graph } = embedding;
  const layers = blocks.map(({ affine }) => ({
    weight: graph.parameter(affine.weight),
    bias: graph.parameter(affine.bias!),
  }));
  const projections = parallelLinear(embedding, layers);
  const starts = new Map<Block, number>();
  let start = 0;
  for (const block of blocks) {
    starts.set(block, start);
    start += block.affine.outputs;
  }
  return (block) => ({ projections, start: starts.get(block) ?? 0 });
}
