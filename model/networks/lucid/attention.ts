/**
 * Attention over pixels: linear, and full with or without learned keys and values beside those of the
 * pixels.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { inverseRoot } from "../../../autograd/ops/inverse_root.ts";
import { linearAttention, softmaxKeys } from "../../../autograd/ops/linear_attention.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { sum } from "../../../autograd/ops/reduce.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { rmsNorm } from "../../../autograd/ops/rms_norm.ts";
import { softmax } from "../../../autograd/ops/softmax.ts";
import { type Heads, Memories } from "../../memories.ts";
import { Module } from "../../module.ts";
import { Conv, PixelNorm } from "./layers.ts";
import type { Style } from "./styles.ts";

/** Axis along which cosine attention makes queries and keys as long as 1. */
export type CosineAxis = "channels" | "tokens";

/** Factor of the scores of cosine attention. */
const COSINE_SCALE = 10;

/** What both kinds have in common: from an image to queries, keys and values. */
abstract class AttentionLayer extends Module {
  readonly norm: PixelNorm;
  readonly memories: Memories | undefined;
  /** To queries, keys and values, side by side. */
  readonly projection: Conv;
  readonly output: Conv;

  constructor(protected readonly style: Style, width: number, readonly head: Heads) {
    super();
    const inner = head.heads * head.channels;
    this.norm = new PixelNorm(style, width);
    this.memories = style.memories > 0 ? new Memories(style.memories, head) : undefined;
    this.projection = new Conv(style, width, 3 * inner, { kernel: 1, biased: false });
    this.output = new Conv(style, inner, width, { kernel: 1 });
  }

  /** Tokens `[N, L, heads * d]` of the normalised image. */
  protected project(x: Tensor): { q: Tensor; k: Tensor; v: Tensor } {
    const [n = 0, height = 0, width = 0] = x.shape;
    const inner = this.head.heads * this.head.channels;
    const all = this.projection.forward(this.norm.forward(x));
    const part = (i: number) => reshape(columns(all, i * inner, inner), [n, height * width, inner]);
    return { q: part(0), k: part(1), v: part(2) };
  }

  protected remember(k: Tensor, v: Tensor): { k: Tensor; v: Tensor } {
    const { memories } = this;
    return memories ? { k: memories.before(k, 0), v: memories.before(v, 1) } : { k, v };
  }

  /** Tokens back to an image of the size of `x`. */
  protected image(tokens: Tensor, x: Tensor): Tensor {
    return reshape(tokens, [...x.shape.slice(0, -1), this.head.heads * this.head.channels]);
  }
}

/** Linear attention, whose output is normalised. */
export class LinearAttention extends AttentionLayer {
  readonly outputNorm: PixelNorm;

  constructor(style: Style, width: number, head: Heads) {
    super(style, width, head);
    this.outputNorm = new PixelNorm(style, width);
  }

  /** `[N, H, W, C]` to the same shape; what it is added to is not. */
  forward(x: Tensor): Tensor {
    const { heads, channels } = this.head;
    const { q, ...own } = this.project(x);
    const { k, v } = this.remember(own.k, own.v);
    const [n = 0, length = 0, inner = 0] = q.shape;
    const shares = reshape(softmax(reshape(q, [n, length, heads, channels])), [n, length, inner]);
    // Flax's values are divided by the number of pixels.
    const scale = channels ** -0.5 / (this.style.groups === undefined ? 1 : length);
    const mixed = linearAttention(shares, softmaxKeys(k), v, { heads, scale });
    return this.outputNorm.forward(this.output.forward(this.image(mixed, x)));
  }
}

/** Attention of every pixel to all pixels of its image. */
export class FullAttention extends AttentionLayer {
  constructor(style: Style, width: number, head: Heads, readonly cosine?: CosineAxis) {
    super(style, width, head);
  }

  /** `[N, H, W, C]` to the same shape; what it is added to is not. */
  forward(x: Tensor): Tensor {
    const { heads, channels } = this.head;
    const { q, ...own } = this.project(x);
    const { k, v } = this.remember(own.k, own.v);
    const unit = (tokens: Tensor) => this.#unit(tokens);
    const mixed = this.cosine === undefined
      ? attention(q, k, v, { heads, scale: channels ** -0.5 })
      : attention(unit(q), unit(k), v, { heads, scale: COSINE_SCALE });
    return this.output.forward(this.image(mixed, x));
  }

  /** Queries or keys made as long as 1. */
  #unit(tokens: Tensor): Tensor {
    if (this.cosine === "tokens") {
      const squares = sum(mul(tokens, tokens), { axes: [1], keepDims: true });
      return mul(tokens, inverseRoot(squares, 1e-12));
    }
    const { heads, channels } = this.head;
    const apart = reshape(tokens, [...tokens.shape.slice(0, -1), heads, channels]);
    return reshape(rmsNorm(apart, { factor: 1 }), tokens.shape);
  }
}
