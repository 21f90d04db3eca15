/**
 * The residual block of EDM2 (Karras et al. 2024, arXiv 2312.02696, figure 21).
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { clip } from "../../../autograd/ops/clip.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { filterResample } from "../../../autograd/ops/filter_resample.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { zeros } from "../../init.ts";
import { scaledSilu, SILU_SCALE, sumFactors } from "../../magnitudes.ts";
import { Module } from "../../module.ts";
import { normalizePixels, Weights } from "./layers.ts";
import type { Edm2Options } from "./options.ts";

/** What blocks differ in. */
export interface BlockOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Width of the embedding. */
  readonly embedding: number;
  /** Whether it is on the way down. */
  readonly down: boolean;
  readonly resample?: "down" | "up" | undefined;
  readonly attends?: boolean;
}

/** See the module. */
export class Block extends Module {
  /** How much the embedding says; nothing at first. */
  readonly gain: Parameter;
  readonly residual0: Weights;
  readonly embedding: Weights;
  readonly residual1: Weights;
  readonly skip: Weights | undefined;
  /** Queries, then keys, then values; of each, head by head. */
  readonly qkv: Weights | undefined;
  readonly proj: Weights | undefined;
  readonly heads: number;

  constructor(readonly options: BlockOptions, private readonly network: Edm2Options) {
    super();
    const { inputs, outputs, down, attends = false } = options;
    this.heads = attends ? Math.floor(outputs / network.headChannels) : 0;
    this.gain = new Parameter([], zeros);
    this.residual0 = new Weights(down ? outputs : inputs, outputs, 3);
    this.embedding = new Weights(options.embedding, outputs);
    this.residual1 = new Weights(outputs, outputs, 3);
    this.skip = inputs === outputs ? undefined : new Weights(inputs, outputs, 1);
    this.qkv = this.heads > 0 ? new Weights(outputs, 3 * outputs, 1) : undefined;
    this.proj = this.heads > 0 ? new Weights(outputs, outputs, 1) : undefined;
  }

  /**
   * @param x `[N, H, W, inputs]`
   * @param embedding SiLU of it, not yet of mean square 1, `[N, C]`.
   * @returns `[N, H', W', outputs]`
   */
  forward(x: Tensor, embedding: Tensor): Tensor {
    const { graph } = x;
    const sum = graph.checkpoint(() => this.#convolve(x, embedding));
    const mixed = this.qkv ? graph.checkpoint(() => this.#attend(sum)) : sum;
    return this.network.clip === null ? mixed : clip(mixed, this.network.clip);
  }

  #convolve(given: Tensor, embedding: Tensor): Tensor {
    const { options: { resample: way, down }, network: { resampleFilter: taps } } = this;
    const { graph } = given;
    let x = way ? filterResample(given, { taps, way }) : given;
    if (down) x = normalizePixels(this.skip ? this.skip.forward(x) : x);
    // The factors of SiLU and of the sum are taken into the weights that follow them.
    const first = this.residual0.forward(silu(x), 1 / SILU_SCALE);
    const told = mul(this.embedding.forward(embedding, 1 / SILU_SCALE), graph.parameter(this.gain));
    const second = scaledSilu(first, told);
    const [own, branch] = sumFactors(this.network.residualBalance);
    x = !down && this.skip ? this.skip.forward(x, own) : scale(x, own);
    return this.residual1.forward(dropout(second, this.network.dropout), branch / SILU_SCALE, x);
  }

  #attend(x: Tensor): Tensor {
    const { heads } = this, { outputs } = this.options;
    const [n = 0, height = 0, width = 0] = x.shape;
    const tokens = height * width;
    const all = normalizePixels(
      reshape(this.qkv!.forward(x), [n, tokens, 3 * heads, outputs / heads]),
    );
    const flat = reshape(all, [n, tokens, 3 * outputs]);
    const [q, k, v] = [0, 1, 2].map((part) => columns(flat, part * outputs, outputs));
    const mixed = reshape(attention(q!, k!, v!, { heads }), x.shape);
    const [own, branch] = sumFactors(this.network.attentionBalance);
    return this.proj!.forward(mixed, branch, scale(x, own));
  }
}
