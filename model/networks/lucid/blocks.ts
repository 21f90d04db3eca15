/**
 * Residual blocks and changes of resolution.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { film } from "../../../autograd/ops/film.ts";
import { parallelLinear } from "../../../autograd/ops/parallel_linear.ts";
import { upsampleNearest2x } from "../../../autograd/ops/upsample.ts";
import { Module } from "../../module.ts";
import { BlockNorm, Conv, Dense } from "./layers.ts";
import type { Style } from "./styles.ts";

/** Where a block's scales and shifts are. */
export interface Conditioned {
  /** Those of all blocks, side by side: `[N, M]`. */
  readonly matrix: Tensor;
  /** The block's first column. */
  readonly start: number;
}

/** Two convolutions with scales and shifts from the embedding between them, and a shortcut. */
export class ResidualBlock extends Module {
  /** From the embedding to scales and shifts; the network applies those of all blocks at once. */
  readonly condition: Dense;
  readonly conv1: Conv;
  readonly norm1: BlockNorm;
  readonly conv2: Conv;
  readonly norm2: BlockNorm;
  /** Matches the channels where input and output differ. */
  readonly shortcut: Conv | undefined;

  /**
   * @param embedding Size of the embedding.
   * @param dropout Probability that dropout zeroes an element.
   */
  constructor(
    style: Style,
    inputs: number,
    outputs: number,
    { embedding, dropout }: { readonly embedding: number; readonly dropout: number },
  ) {
    super();
    const options = { kernel: 3, standardized: style.groups !== undefined };
    this.condition = new Dense(style, embedding, 2 * outputs);
    this.conv1 = new Conv(style, inputs, outputs, options);
    this.norm1 = new BlockNorm(style, outputs);
    this.conv2 = new Conv(style, outputs, outputs, options);
    this.norm2 = new BlockNorm(style, outputs);
    this.shortcut = inputs === outputs
      ? undefined
      : new Conv(style, inputs, outputs, { kernel: 1 });
    this.dropout = dropout;
  }

  readonly dropout: number;

  /** `[N, H, W, inputs]` to `[N, H, W, outputs]`. */
  forward(x: Tensor, { matrix, start }: Conditioned): Tensor {
    const modulated = film(this.norm1.forward(this.conv1.forward(x)), matrix, {
      start,
      silu: true,
    });
    const dropped = dropout(modulated, this.dropout);
    const h = this.norm2.forward(this.conv2.forward(dropped), { silu: true });
    return this.shortcut ? this.shortcut.forward(x, h) : add(h, x);
  }
}

/**
 * Scales and shifts of many blocks in one product.
 *
 * @param embedding SiLU of it, `[N, C]`.
 */
export function conditionBlocks(
  embedding: Tensor,
  blocks: readonly ResidualBlock[],
): (block: ResidualBlock) => Conditioned {
  const { graph } = embedding;
  const layers = blocks.map(({ condition }) => ({
    weight: graph.parameter(condition.weight),
    bias: graph.parameter(condition.bias),
  }));
  const matrix = parallelLinear(embedding, layers);
  const starts = new Map<ResidualBlock, number>();
  let start = 0;
  for (const block of blocks) {
    starts.set(block, start);
    start += block.condition.outputs;
  }
  return (block) => ({ matrix, start: starts.get(block) ?? 0 });
}

/** Changes the width, and the resolution unless it is the coarsest or finest. */
export class Resample extends Module {
  readonly conv: Conv;

  /** @param way `"down"` to half the resolution, `"up"` to twice, or `"stay"`. */
  constructor(
    private readonly style: Style,
    inputs: number,
    outputs: number,
    readonly way: "down" | "up" | "stay",
  ) {
    super();
    const halved = style.unshuffle ? { kernel: 2, stride: 2 } : { kernel: 4, stride: 2 };
    this.conv = new Conv(style, inputs, outputs, way === "down" ? halved : { kernel: 3 });
  }

  /** `[N, H, W, inputs]` to `[N, H', W', outputs]`. */
  forward(x: Tensor): Tensor {
    const axes = this.style.dims === 1 ? "width" : "both";
    return this.conv.forward(this.way === "up" ? upsampleNearest2x(x, axes) : x);
  }
}
