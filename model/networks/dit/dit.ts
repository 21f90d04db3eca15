/**
 * The diffusion transformer (Peebles and Xie 2023, arXiv 2212.09748): patches as tokens, and blocks of
 * attention and a perceptron whose normalisations are shifted, scaled and gated by time and class
 * (adaLN-Zero).
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import type { Conditioning, LevelInput } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { gelu } from "../../../autograd/ops/gelu.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { gatedSum, modulatedNorm } from "../../../autograd/ops/modulate.ts";
import { parallelLinear } from "../../../autograd/ops/parallel_linear.ts";
import { patchify, unpatchify } from "../../../autograd/ops/patches.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { formatShape, type TensorRef } from "../../../device/tensor.ts";
import { classConditioning, ClassEmbedding, withClass } from "../../class_embedding.ts";
import { gaussianInit, xavierUniform, zeroInit, zeros } from "../../init.ts";
import { Linear } from "../../layers.ts";
import { Module } from "../../module.ts";
import type { Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { TimeEmbedding } from "../../time_embedding.ts";
import type { DiTOptions } from "./options.ts";
import { positionTable } from "./positions.ts";

/** Sines and cosines of a timestep. */
const FREQUENCIES = 256;
/** Added to the variances of normalisations. */
const EPS = 1e-6;
/** Channels that the original code's guidance acts on, whatever there are. */
const GUIDED_CHANNELS = 3;

/** What it depends on besides its options. */
export type DiTShape = NetworkShape;

/** Patches of pixels to tokens: a convolution that does not overlap itself. */
export class PatchEmbedding extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(readonly patch: number, readonly inputs: number, readonly outputs: number) {
    super();
    const rows = patch * patch * inputs;
    this.weight = new Parameter(
      [patch, patch, inputs, outputs],
      xavierUniform([rows, outputs]),
    );
    this.bias = new Parameter([outputs], zeros);
  }

  /** `[N, H, W, inputs]` to `[N, H / patch * W / patch, outputs]`. */
  forward(x: Tensor): Tensor {
    const { graph } = x, { patch, inputs, outputs } = this;
    const patches = patchify(x, patch);
    const [n = 0, h = 0, w = 0, depth = 0] = patches.shape;
    const weight = reshape(graph.parameter(this.weight), [patch * patch * inputs, outputs]);
    return linear(reshape(patches, [n, h * w, depth]), weight, graph.parameter(this.bias));
  }
}

/** A block: attention, then a perceptron. */
export class DiTBlock extends Module {
  /** Queries, keys and values side by side. */
  readonly attentionInputs: Linear;
  readonly attentionOutput: Linear;
  readonly hidden: Linear;
  readonly output: Linear;
  /** From time and class to shift, scale and gate of both halves; the network applies it. */
  readonly modulation: Linear;

  constructor(readonly channels: number, readonly heads: number, hidden: number) {
    super();
    this.attentionInputs = new Linear(channels, 3 * channels);
    this.attentionOutput = new Linear(channels, channels);
    this.hidden = new Linear(channels, hidden);
    this.output = new Linear(hidden, channels);
    this.modulation = new Linear(channels, 6 * channels, zeroInit);
  }

  /**
   * @param x `[N, L, channels]`.
   * @param m Projections of all blocks, `[N, M]`.
   * @param start The block's first column in them.
   */
  forward(x: Tensor, m: Tensor, start: number): Tensor {
    const [shiftA, scaleA, gateA, shiftB, scaleB, gateB] = Array.from(
      { length: 6 },
      (_, i) => start + i * this.channels,
    ) as [number, number, number, number, number, number];
    const middle = x.graph.checkpoint(() => {
      const normal = modulatedNorm(x, m, { shift: shiftA, scale: scaleA, eps: EPS });
      return gatedSum(x, this.attend(normal), m, gateA);
    });
    return x.graph.checkpoint(() => {
      const normal = modulatedNorm(middle, m, { shift: shiftB, scale: scaleB, eps: EPS });
      return gatedSum(middle, this.perceive(normal), m, gateB);
    });
  }

  /** Attention of every token to all of its image. */
  attend(x: Tensor): Tensor {
    const all = this.attentionInputs.forward(x);
    const [q, k, v] = [0, 1, 2].map((i) => columns(all, i * this.channels, this.channels));
    return this.attentionOutput.forward(attention(q!, k!, v!, { heads: this.heads }));
  }

  /** The perceptron. */
  perceive(x: Tensor): Tensor {
    return this.output.forward(gelu(this.hidden.forward(x), { approximate: "tanh" }));
  }
}

/** From tokens to patches. */
export class FinalLayer extends Module {
  readonly linear: Linear;
  readonly modulation: Linear;

  constructor(readonly channels: number, outputs: number) {
    super();
    this.linear = new Linear(channels, outputs, zeroInit);
    this.modulation = new Linear(channels, 2 * channels, zeroInit);
  }

  /** `[N, L, channels]` to `[N, L, outputs]`; see {@linkcode DiTBlock.forward}. */
  forward(x: Tensor, m: Tensor, start: number): Tensor {
    const scale = start + this.channels;
    return this.linear.forward(modulatedNorm(x, m, { shift: start, scale, eps: EPS }));
  }
}

/** The network; it takes images of any size that patches divide. */
export class DiT extends Module implements Network {
  readonly conditioning: Conditioning;
  /** See {@linkcode Network.guidedChannels}. */
  readonly guidedChannels = GUIDED_CHANNELS;
  /** @internal */
  readonly patches: PatchEmbedding;
  /** @internal */
  readonly timeEmbedding: TimeEmbedding;
  /** @internal */
  readonly classEmbedding: ClassEmbedding | undefined;
  /** @internal */
  readonly blocks: DiTBlock[];
  /** @internal */
  readonly final: FinalLayer;

  /** Builds the network; its weights are made apart. */
  constructor(readonly options: DiTOptions, readonly shape: DiTShape) {
    super();
    const { patchSize, channels, depth, heads, mlpRatio, learnSigma, classes } = options;
    this.conditioning = classConditioning(options);
    this.patches = new PatchEmbedding(patchSize, shape.channels, channels);
    this.timeEmbedding = new TimeEmbedding(
      ...[shape.timesteps, FREQUENCIES, channels, 0, gaussianInit(0.02)] as const,
    );
    this.classEmbedding = classes > 0 ? new ClassEmbedding(options, channels) : undefined;
    this.blocks = Array.from(
      { length: depth },
      () => new DiTBlock(channels, heads, Math.trunc(channels * mlpRatio)),
    );
    const { outputs = shape.channels * (learnSigma ? 2 : 1) } = shape;
    this.final = new FinalLayer(channels, patchSize ** 2 * outputs);
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, inputs: NetworkInputs): Tensor {
    const all = this.predict(graph, inputs);
    return this.options.learnSigma ? columns(all, 0, this.shape.channels) : all;
  }

  /** See {@linkcode Network.forwardWithVariance}. */
  forwardWithVariance(graph: Graph, inputs: NetworkInputs): Tensor {
    return this.predict(graph, inputs);
  }

  /**
   * Everything that it gives.
   *
   * @returns `[N, H, W, C]`, with `learnSigma` `[N, H, W, 2 C]`: the prediction, then the variance.
   */
  predict(graph: Graph, { x, level, labels }: NetworkInputs): Tensor {
    const [n = 0, height = 0, width = 0] = this.#checked(x);
    const { patchSize } = this.options;
    const rows = height / patchSize, columns = width / patchSize;
    const condition = silu(this.embed(graph, level, labels));
    const modulations = [...this.blocks, this.final].map(({ modulation }) => modulation);
    const m = parallelLinear(
      condition,
      modulations.map(({ weight, bias }) => ({
        weight: graph.parameter(weight),
        bias: graph.parameter(bias),
      })),
    );
    let h = add(this.patches.forward(x), this.#positions(graph, rows, columns));
    let start = 0;
    for (const block of this.blocks) {
      h = block.forward(h, m, start);
      start += block.modulation.outputs;
    }
    const tokens = this.final.forward(h, m, start);
    const depth = tokens.shape.at(-1) ?? 0;
    return unpatchify(reshape(tokens, [n, rows, columns, depth]), patchSize);
  }

  /** What blocks are told: the embedding of time and of the class, `[N, channels]`. */
  embed(graph: Graph, level: LevelInput, labels: TensorRef | undefined): Tensor {
    return withClass(this.timeEmbedding.forward(graph, level), this.classEmbedding, labels);
  }

  #positions(graph: Graph, rows: number, columns: number): Tensor {
    const { channels } = this.options;
    const name = `positions ${rows}x${columns}x${channels}`;
    const table = () => positionTable(rows, columns, channels);
    return graph.constant(graph.capture.table(name, [1, rows * columns, channels], table));
  }

  #checked({ shape }: Tensor): readonly number[] {
    const { patchSize } = this.options;
    const [, height = 0, width = 0, channels] = shape;
    const fits = shape.length === 4 && channels === this.shape.channels &&
      height % patchSize === 0 && width % patchSize === 0;
    if (fits) return shape;
    throw new RangeError(
      `Cannot run the transformer: images must have shape [N, H, W, ${this.shape.channels}] with ` +
        `sides that are multiples of ${patchSize}, got ${formatShape(shape)}`,
    );
  }
}
