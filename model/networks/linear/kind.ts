/**
 * A linear denoiser: one matrix and one bias for each bin of noise levels, applied to the whole image
 * as a vector. What it learns has a closed form (Wang and Pehlevan 2025, arXiv 2503.03206).
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { givenLevels } from "../../../autograd/network_inputs.ts";
import { binnedLinear } from "../../../autograd/ops/binned_linear.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { decimal, integer, option, type OptionsOf } from "../../../support/options.ts";
import { gaussian, zeros } from "../../init.ts";
import { Module } from "../../module.ts";
import type { Network, NetworkInputs, NetworkKind, NetworkShape } from "../../network.ts";

const OPTIONS = {
  bins: option(
    integer({ min: 1 }),
    10,
    "Matrices, each for an equal share of the timesteps; at most as many as timesteps",
  ),
  initialDeviation: option(
    decimal({ min: 0 }),
    0,
    "Standard deviation of the matrices' values before training; 0 = all zeros",
  ),
};

/** Options of the network. */
export type LinearOptions = { name: "linear" } & OptionsOf<typeof OPTIONS>;

/** The network. */
export class LinearDenoiser extends Module implements Network {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** Builds the network; its weights are made apart. */
  constructor({ bins, initialDeviation }: LinearOptions, readonly shape: NetworkShape) {
    super();
    const length = shape.height * shape.width * shape.channels;
    const init = initialDeviation === 0 ? zeros : gaussian(initialDeviation);
    this.weight = new Parameter([bins, length, length], init);
    this.bias = new Parameter([bins, length], zeros);
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, { x, level }: NetworkInputs): Tensor {
    const [n = 0, ...image] = x.shape;
    const weight = graph.parameter(this.weight), bias = graph.parameter(this.bias);
    const flat = reshape(x, [n, sizeOf(image)]);
    return reshape(
      binnedLinear(flat, weight, bias, givenLevels(graph, level), this.shape.timesteps),
      x.shape,
    );
  }
}

/** As a config names it. */
export const LINEAR = {
  options: OPTIONS,
  check: ({ bins }, { timesteps }, at) =>
    bins <= timesteps ? null : {
      key: "timesteps",
      rule: `be at least ${at("bins")}, ${bins}`,
      hint: "each matrix must have a timestep of its own",
    },
  create: (options, shape) => new LinearDenoiser(options, shape),
} satisfies NetworkKind<LinearOptions>;
