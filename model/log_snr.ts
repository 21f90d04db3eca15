/**
 * The network of a learned noise schedule (Kingma et al. 2021, arXiv 2107.00630, section 3.2), as
 * lucidrains' `learned_noise_schedule` has it: its parameters lie beside those of the denoising network and
 * are trained with them.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { concat } from "../autograd/ops/concat.ts";
import { monotoneLogSnr } from "../autograd/ops/monotone_log_snr.ts";
import { reshape } from "../autograd/ops/reshape.ts";
import { Parameter } from "../autograd/parameter.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { pytorchInit } from "./init.ts";
import { Module } from "./module.ts";

/** Weights and biases of a layer, which count without their signs. */
export class PositiveLinear extends Module {
  /** `[in, out]` */
  readonly weight: Parameter;
  /** `[out]` */
  readonly bias: Parameter;

  /** A layer of so many inputs to so many outputs. */
  constructor(inputs: number, outputs: number) {
    super();
    const shape = [inputs, outputs], { weight, bias } = pytorchInit(shape);
    this.weight = new Parameter(shape, weight);
    this.bias = new Parameter([outputs], bias);
  }
}

/** How the network is used. */
export interface LogSnrOptions {
  /** Hidden units. */
  readonly hidden: number;
  /** Log SNR at time 0. */
  readonly start: number;
  /** Log SNR at time 1. */
  readonly end: number;
  /** Share of its gradient that it learns by, from 0 to 1. */
  readonly gradientShare: number;
}

/** See the module. */
export class LogSnr extends Module {
  /** Of the time. */
  readonly input: PositiveLinear;
  /** Of what that gives. */
  readonly hidden: PositiveLinear;
  /** Of the hidden units, added to what the first gives. */
  readonly output: PositiveLinear;
  readonly #options: LogSnrOptions;

  /** A network with PyTorch's initial values. */
  constructor(options: LogSnrOptions) {
    super();
    this.#options = options;
    this.input = new PositiveLinear(1, 1);
    this.hidden = new PositiveLinear(1, options.hidden);
    this.output = new PositiveLinear(options.hidden, 1);
  }

  /** Log SNRs `[N]` of times `[N]` from 0 to 1. */
  forward(graph: Graph, times: TensorRef): Tensor {
    const { start, end, gradientShare } = this.#options;
    const flat = [this.input, this.hidden, this.output]
      .flatMap(({ weight, bias }) => [weight, bias])
      .map((parameter) => reshape(graph.parameter(parameter), [1, sizeOf(parameter.shape)]));
    const slope = end - start;
    return monotoneLogSnr(flat.reduce(concat), times, { start, slope, gradientShare });
  }
}
