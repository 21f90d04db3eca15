/**
 * A fully connected denoiser: the whole image is one vector, and every hidden layer is told the noise
 * level, and the class where there is one. For theory: it knows nothing of neighbouring pixels.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import type { Conditioning } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { parallelLinear } from "../../../autograd/ops/parallel_linear.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { type Check, flag, integer, option, type OptionsOf } from "../../../support/options.ts";
import {
  CLASS_OPTIONS,
  classConditioning,
  ClassEmbedding,
  classesCanBeWithheld,
  withClass,
} from "../../class_embedding.ts";
import { zeroInit } from "../../init.ts";
import { Linear } from "../../layers.ts";
import { Module } from "../../module.ts";
import type { Network, NetworkInputs, NetworkKind, NetworkShape } from "../../network.ts";
import { TimeEmbedding } from "../../time_embedding.ts";

const OPTIONS = {
  width: option(integer({ min: 1 }), 512, "Units of a hidden layer"),
  depth: option(integer({ min: 1 }), 3, "Hidden layers; with residual, blocks of two"),
  residual: option(flag(), true, "Whether a block is added to what goes into it"),
  timeChannels: option(integer({ min: 2 }), 64, "Sines and cosines of a timestep; even"),
  ...CLASS_OPTIONS,
};

/** Options of the network. */
export type MlpOptions = { name: "mlp" } & OptionsOf<typeof OPTIONS>;

const pairsFit: Check<MlpOptions> = ({ timeChannels }) =>
  timeChannels % 2 === 0
    ? null
    : { key: "timeChannels", rule: "be even, for pairs of a sine and a cosine" };

/** A hidden layer; with `residual`, a block of two around a shortcut. */
class MlpLayer extends Module {
  readonly hidden: Linear;
  /** From the embedding of time and class to the hidden units; the network applies it. */
  readonly condition: Linear;
  readonly output: Linear | undefined;

  constructor(width: number, residual: boolean) {
    super();
    this.hidden = new Linear(width, width);
    this.condition = new Linear(width, width);
    this.output = residual ? new Linear(width, width, zeroInit) : undefined;
  }

  /** `[N, width]` to the same shape. */
  forward(x: Tensor, condition: Tensor): Tensor {
    const inside = silu(add(this.hidden.forward(x), condition));
    return this.output ? add(x, this.output.forward(inside)) : inside;
  }
}

/** The network. */
export class Mlp extends Module implements Network {
  readonly conditioning: Conditioning;
  readonly timeEmbedding: TimeEmbedding;
  readonly classEmbedding: ClassEmbedding | undefined;
  readonly first: Linear;
  readonly layers: MlpLayer[];
  readonly last: Linear;
  readonly #outputs: number;

  /** Builds the network; its weights are made apart. */
  constructor(readonly options: MlpOptions, shape: NetworkShape) {
    super();
    const { width, depth, residual, timeChannels, classes } = options;
    const length = shape.height * shape.width * shape.channels;
    this.conditioning = classConditioning(options);
    this.timeEmbedding = new TimeEmbedding(shape.timesteps, timeChannels, width);
    this.classEmbedding = classes > 0 ? new ClassEmbedding(options, width) : undefined;
    this.first = new Linear(length, width);
    this.layers = Array.from({ length: depth }, () => new MlpLayer(width, residual));
    const { outputs = shape.channels } = shape;
    this.#outputs = outputs;
    this.last = new Linear(width, length / shape.channels * outputs, zeroInit);
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, { x, level, labels }: NetworkInputs): Tensor {
    const [n = 0, ...image] = x.shape, { width } = this.options;
    const time = this.timeEmbedding.forward(graph, level);
    const embedding = withClass(time, this.classEmbedding, labels);
    const conditions = parallelLinear(
      silu(embedding),
      this.layers.map(({ condition: { weight, bias } }) => ({
        weight: graph.parameter(weight),
        bias: graph.parameter(bias),
      })),
    );
    let h = this.first.forward(reshape(x, [n, sizeOf(image)]));
    for (const [i, layer] of this.layers.entries()) {
      const before = h;
      h = graph.checkpoint(() => layer.forward(before, columns(conditions, i * width, width)));
    }
    return reshape(this.last.forward(h), [n, ...image.slice(0, -1), this.#outputs]);
  }
}

/** As a config names it. */
export const MLP = {
  options: OPTIONS,
  anyOutputs: true,
  checks: [pairsFit, classesCanBeWithheld],
  create: (options, shape) => new Mlp(options, shape),
} satisfies NetworkKind<MlpOptions>;
