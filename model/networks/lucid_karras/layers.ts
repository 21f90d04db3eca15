/**
 * Layers that preserve magnitudes (Karras et al. 2024, arXiv 2312.02696, section B) as lucidrains' code has
 * them: lengths are at least a constant, to which EDM2's own code adds it.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { weightNorm } from "../../../autograd/ops/weight_norm.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { gaussian, zeros } from "../../init.ts";
import { sumFactors } from "../../magnitudes.ts";
import { Module } from "../../module.ts";

/** The least length that is divided by. */
export const EPS = 1e-4;

/** A linear layer, or a square convolution that keeps the sides, without a bias. */
export class Weights extends Module {
  readonly weight: Parameter;

  /**
   * @param kernel Side of the convolution; 0 for a linear layer.
   * @param ones Channels of ones among the inputs, which don't count.
   */
  constructor(
    private readonly inputs: number,
    outputs: number,
    private readonly kernel = 0,
    ones = 0,
  ) {
    super();
    const channels = inputs + ones;
    const shape = kernel === 0 ? [channels, outputs] : [kernel, kernel, channels, outputs];
    this.weight = new Parameter(shape, gaussian(1));
  }

  /**
   * The weights as they are applied. Where the graph trains, the parameter itself is first given a mean
   * square of 1, and its gradient is that of what is there then.
   *
   * @param factor On all of them.
   */
  values(graph: Tensor["graph"], factor = 1): Tensor {
    const { shape } = this.weight;
    const fanIn = this.inputs * Math.max(1, this.kernel) ** 2;
    // Lengths are at least a constant, and so are the roots of mean squares.
    const size = Math.sqrt(sizeOf(shape) / (shape.at(-1) ?? 1));
    const options = { factor: factor / Math.sqrt(fanIn), eps: EPS / size, added: false };
    return weightNorm(graph.parameter(this.weight), options);
  }

  /**
   * `[..., inputs]` to `[..., outputs]`.
   *
   * @param factor On the result.
   * @param residual Added to it.
   */
  forward(x: Tensor, factor = 1, residual?: Tensor): Tensor {
    const weight = this.values(x.graph, factor);
    // As in EDM2's layers: round-off is carried on here, and shows in the gradients of the gains.
    if (this.kernel === 0) return linear(x, weight, undefined, { exact: true });
    const side = (this.kernel - 1) / 2;
    return conv2d(x, weight, { padding: [side, side], residual, blocked: true });
  }
}

/** A linear layer of classes. */
export class Rows extends Weights {
  /** u32 `[N]` to the rows of its classes, `[N, outputs]`, times the factor. */
  override forward(labels: Tensor, factor = 1): Tensor {
    return gatherRows(this.values(labels.graph, factor), labels);
  }
}

/** A learned factor, which starts out at 0. */
export class Gain extends Module {
  readonly weight = new Parameter([], zeros);

  forward(x: Tensor): Tensor {
    return mul(x, x.graph.parameter(this.weight));
  }
}

/** `[..., Ca]` and `[..., Cb]` to `[..., Ca + Cb]`, `b` having a share of the variance. */
export function join(a: Tensor, b: Tensor, share: number): Tensor {
  const [na, nb] = [a.shape.at(-1)!, b.shape.at(-1)!];
  const [ofA, ofB] = sumFactors(share);
  return concat(
    scale(a, ofA * Math.sqrt((na + nb) / na)),
    scale(b, ofB * Math.sqrt((na + nb) / nb)),
  );
}
