/**
 * Blocks of the way down, which normalise pixels, and of the way up, which do not; attention.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { resizeBilinear } from "../../../autograd/ops/resize_bilinear.ts";
import { rmsNorm } from "../../../autograd/ops/rms_norm.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { scaledSilu, SILU_SCALE, sumFactors } from "../../magnitudes.ts";
import { Memories } from "../../memories.ts";
import { Module } from "../../module.ts";
import { EPS, Gain, Weights } from "./layers.ts";
import type { LucidKarrasOptions } from "./options.ts";

/** Learned keys and values of a head. */
const MEMORIES = 4;

/** Attention of every pixel to all pixels of its image, whose queries, keys and values are normalised. */
export class Attention extends Module {
  readonly memories: Memories;
  /** To queries, keys and values, side by side. */
  readonly projection: Weights;
  readonly output: Weights;
  readonly heads: number;

  constructor(private readonly options: LucidKarrasOptions, width: number) {
    super();
    const { headChannels: channels } = options;
    this.heads = Math.max(Math.ceil(width / channels), 2);
    this.memories = new Memories(MEMORIES, { heads: this.heads, channels });
    this.projection = new Weights(width, 3 * this.heads * channels, 1);
    this.output = new Weights(this.heads * channels, width, 1);
  }

  /** `[N, H, W, C]` to the same shape, `x` having its share. */
  forward(x: Tensor): Tensor {
    const { heads, options: { headChannels, attentionShare } } = this;
    const [n = 0, height = 0, width = 0] = x.shape;
    const inner = heads * headChannels, length = height * width;
    const all = this.projection.forward(x);
    const [q, k, v] = [0, 1, 2].map((i) =>
      reshape(columns(all, i * inner, inner), [n, length, inner])
    );
    const normal = (tokens: Tensor) => {
      const apart = reshape(tokens, [...tokens.shape.slice(0, -1), heads, headChannels]);
      return reshape(rmsNorm(apart, { eps: EPS }), tokens.shape);
    };
    const mixed = attention(
      normal(q!),
      normal(this.memories.before(k!, 0)),
      normal(this.memories.before(v!, 1)),
      { heads },
    );
    const [factor, own] = sumFactors(attentionShare);
    const image = reshape(mixed, [n, height, width, inner]);
    return this.output.forward(image, factor, scale(x, own));
  }
}

/** Choices of a {@linkcode Block}. */
export interface BlockOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Whether it is on the way down. */
  readonly down: boolean;
  /** Whether it changes the resolution. */
  readonly resamples: boolean;
  readonly attention: boolean;
}

/** Two convolutions with scales from the embedding between them, then attention if asked for. */
export class Block extends Module {
  /** From the embedding to scales. */
  readonly condition: Weights;
  readonly gain: Gain;
  readonly conv1: Weights;
  readonly conv2: Weights;
  /** Matches the channels where input and output differ. */
  readonly shortcut: Weights | undefined;
  readonly attention: Attention | undefined;

  constructor(private readonly network: LucidKarrasOptions, readonly options: BlockOptions) {
    super();
    const { inputs, outputs, down, resamples, attention } = options;
    const matches = down ? resamples : inputs !== outputs;
    this.shortcut = matches ? new Weights(inputs, outputs, 1) : undefined;
    this.condition = new Weights(4 * network.channels, outputs);
    this.gain = new Gain();
    this.conv1 = new Weights(down && matches ? outputs : inputs, outputs, 3);
    this.conv2 = new Weights(outputs, outputs, 3);
    this.attention = attention ? new Attention(network, outputs) : undefined;
  }

  /**
   * @param x `[N, H, W, inputs]`
   * @param embedding SiLU of it, not yet of mean square 1, `[N, 4 * channels]`.
   */
  forward(x: Tensor, embedding: Tensor): Tensor {
    const { dropout: probability, blockShare } = this.network;
    const { down } = this.options;
    const resized = this.#resize(x);
    const matched = this.shortcut ? this.shortcut.forward(resized) : resized;
    const residual = down ? rmsNorm(matched, { eps: EPS }) : matched;
    // The factors of SiLU are taken into the weights that follow it.
    const first = this.conv1.forward(silu(down ? residual : resized), 1 / SILU_SCALE);
    const scales = this.gain.forward(this.condition.forward(embedding, 1 / SILU_SCALE));
    const [factor, own] = sumFactors(blockShare);
    const h = this.conv2.forward(
      dropout(scaledSilu(first, scales), probability),
      factor / SILU_SCALE,
      scale(residual, own),
    );
    return this.attention ? this.attention.forward(h) : h;
  }

  #resize(x: Tensor): Tensor {
    const { down, resamples } = this.options;
    if (!resamples) return x;
    const [, height = 0, width = 0] = x.shape;
    return resizeBilinear(x, down ? [height / 2, width / 2] : [2 * height, 2 * width]);
  }
}
