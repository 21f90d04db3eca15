/**
 * Layers that preserve magnitudes (Karras et al. 2024, arXiv 2312.02696, section B): weights of a fixed
 * size, joins whose variance stays 1.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { cosineFeatures } from "../../../autograd/ops/cosine_features.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { rmsNorm } from "../../../autograd/ops/rms_norm.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { weightNorm } from "../../../autograd/ops/weight_norm.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { gaussian } from "../../init.ts";
import { Module } from "../../module.ts";

/** Added to roots of mean squares. */
export const EPS = 1e-4;

/** A linear layer, or a square convolution that keeps the sides, without a bias. */
export class Weights extends Module {
  readonly weight: Parameter;

  /** @param kernel Side of the convolution; 0 for a linear layer. */
  constructor(readonly inputs: number, readonly outputs: number, private readonly kernel = 0) {
    super();
    const shape = kernel === 0 ? [inputs, outputs] : [kernel, kernel, inputs, outputs];
    this.weight = new Parameter(shape, gaussian(1));
  }

  /**
   * `[..., inputs]` to `[..., outputs]`.
   *
   * @param factor On the result.
   * @param residual Added to it.
   */
  forward(x: Tensor, factor = 1, residual?: Tensor): Tensor {
    const { shape } = this.weight;
    const fanIn = sizeOf(shape) / this.outputs;
    const weight = weightNorm(x.graph.parameter(this.weight), {
      factor: factor / Math.sqrt(fanIn),
      eps: EPS,
    });
    // Without normalisation by statistics of images, round-off is carried on, that of the embedding into
    // every pixel; it shows in the gains' gradients, which are sums of one number that nearly cancel.
    if (this.kernel === 0) return linear(x, weight, undefined, { exact: true });
    const side = (this.kernel - 1) / 2;
    return conv2d(x, weight, { padding: [side, side], residual, blocked: true });
  }
}

/** Random Fourier features of numbers, with a mean square of 1; they are not learned. */
export class Features extends Module {
  /** In radians a unit. */
  readonly frequencies: Parameter;
  /** In radians. */
  readonly phases: Parameter;

  constructor(width: number) {
    super();
    this.frequencies = new Parameter([width], gaussian(2 * Math.PI), false);
    this.phases = new Parameter([width], (values, { uniform }) => {
      for (let i = 0; i < values.length; i++) values[i] = 2 * Math.PI * uniform();
    }, false);
  }

  /** `[N]` to `[N, width]`. */
  forward(graph: Graph, numbers: Tensor): Tensor {
    const frequencies = graph.parameter(this.frequencies), phases = graph.parameter(this.phases);
    return cosineFeatures(numbers, frequencies.ref, phases.ref);
  }
}

/** `[..., Ca]` and `[..., Cb]` to `[..., Ca + Cb]`, `b` having a share of the variance. */
export function join(a: Tensor, b: Tensor, share: number): Tensor {
  const [na, nb] = [a.shape.at(-1)!, b.shape.at(-1)!];
  const size = Math.sqrt((na + nb) / ((1 - share) ** 2 + share ** 2));
  return concat(
    scale(a, size * (1 - share) / Math.sqrt(na)),
    scale(b, size * share / Math.sqrt(nb)),
  );
}

/** Vectors along the last axis with a mean square of 1. */
export function normalizePixels(x: Tensor): Tensor {
  return rmsNorm(x, { eps: EPS * Math.sqrt(x.shape.at(-1)!), added: true });
}
