/**
 * The vision transformer of DINOv2 (Oquab et al. 2023, arXiv 2304.07193): a class token before the
 * patches, blocks of attention and a perceptron on normalised tokens, and the class token after a last
 * normalisation as the features of an image. The factors that scale what a block adds (LayerScale) are
 * folded into the linear layers before them.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { packedAttention } from "../../../autograd/ops/attention.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { expand } from "../../../autograd/ops/expand.ts";
import { gelu } from "../../../autograd/ops/gelu.ts";
import { layerNorm } from "../../../autograd/ops/layer_norm.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { ones, zeros } from "../../../model/init.ts";
import { Linear } from "../../../model/layers.ts";
import { Module } from "../../../model/module.ts";
import { PatchEmbedding } from "../../../model/networks/dit/dit.ts";

/** Channels of a head of attention, in every size of the network. */
export const HEAD_CHANNELS = 64;
/** Added to the variances of normalisations. */
const EPS = 1e-6;

/** Sizes of the network. */
export interface DinoV2Shape {
  /** Side of a patch in pixels. */
  readonly patch: number;
  /** Patches of an image from top to bottom, and from left to right. */
  readonly rows: number;
  readonly columns: number;
  /** Width of a token, and length of the features. */
  readonly channels: number;
  /** Blocks. */
  readonly depth: number;
  /** Width of a perceptron's hidden layer. */
  readonly hidden: number;
  /** Whether that layer is gated (SwiGLU, Shazeer 2020), as in ViT-g; GELU else. */
  readonly gated: boolean;
}

/** Normalisation of tokens. */
class TokenNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(channels: number) {
    super();
    this.weight = new Parameter([channels], ones);
    this.bias = new Parameter([channels], zeros);
  }

  forward(x: Tensor): Tensor {
    const { graph } = x;
    const weight = graph.parameter(this.weight), bias = graph.parameter(this.bias);
    return layerNorm(x, weight, bias, { eps: EPS });
  }
}

/** A block. */
class Block extends Module {
  readonly attentionNorm: TokenNorm;
  /** Queries, keys and values side by side. */
  readonly attentionInputs: Linear;
  readonly attentionOutput: Linear;
  readonly perceptronNorm: TokenNorm;
  /** With a gate what goes through SiLU, then what that is multiplied with. */
  readonly hidden: Linear;
  readonly output: Linear;

  constructor({ channels, hidden, gated }: DinoV2Shape) {
    super();
    this.attentionNorm = new TokenNorm(channels);
    this.attentionInputs = new Linear(channels, 3 * channels);
    this.attentionOutput = new Linear(channels, channels);
    this.perceptronNorm = new TokenNorm(channels);
    this.hidden = new Linear(channels, gated ? 2 * hidden : hidden);
    this.output = new Linear(hidden, channels);
  }

  /** `[N, tokens, channels]` to the same. */
  forward(x: Tensor): Tensor {
    const heads = this.attentionOutput.inputs / HEAD_CHANNELS;
    const all = this.attentionInputs.forward(this.attentionNorm.forward(x));
    const middle = add(x, this.attentionOutput.forward(packedAttention(all, { heads })));
    const hidden = this.hidden.forward(this.perceptronNorm.forward(middle));
    return add(middle, this.output.forward(this.#activate(hidden)));
  }

  #activate(x: Tensor): Tensor {
    const { inputs: width } = this.output;
    if (this.hidden.outputs === width) return gelu(x);
    return mul(silu(columns(x, 0, width)), columns(x, width, width));
  }
}

/** The network for images of one size. */
export class DinoV2 extends Module {
  readonly patches: PatchEmbedding;
  /** The class token where it stands, `[1, channels]`. */
  readonly classToken: Parameter;
  /** What patches are told of their places, `[1, rows * columns, channels]`. */
  readonly positions: Parameter;
  readonly blocks: readonly Block[];
  readonly norm: TokenNorm;

  constructor(readonly shape: DinoV2Shape) {
    super();
    const { patch, rows, columns, channels, depth } = shape;
    this.patches = new PatchEmbedding(patch, 3, channels);
    this.classToken = new Parameter([1, channels], zeros);
    this.positions = new Parameter([1, rows * columns, channels], zeros);
    this.blocks = Array.from({ length: depth }, () => new Block(shape));
    this.norm = new TokenNorm(channels);
  }

  /**
   * Records a forward pass.
   *
   * @param x Images `[N, rows * patch, columns * patch, 3]`, standardised by ImageNet's colours.
   * @param tap Sees the tokens behind each block, `[N, 1 + rows * columns, channels]`.
   * @returns Features `[N, channels]`.
   */
  forward(x: Tensor, tap: (block: number, tokens: Tensor) => void = () => {}): Tensor {
    const { graph } = x, { rows, columns: across, channels } = this.shape;
    const [n = 0] = x.shape, count = rows * across;
    const patches = add(this.patches.forward(x), graph.parameter(this.positions));
    const first = expand(graph.parameter(this.classToken), [n, channels]);
    const all = concat(first, reshape(patches, [n, count * channels]));
    let h = reshape(all, [n, 1 + count, channels]);
    for (const [i, block] of this.blocks.entries()) {
      h = block.forward(h);
      tap(i, h);
    }
    return this.norm.forward(columns(reshape(h, [n, (1 + count) * channels]), 0, channels));
  }
}
