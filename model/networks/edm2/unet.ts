/**
 * The U-Net of EDM2 (Karras et al. 2024, arXiv 2312.02696, configuration G), which preserves
 * magnitudes: no biases, no normalisation by statistics of images, weights of a fixed size.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { type LevelInput, levelTensor } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { formatShape, sizeOf } from "../../../device/tensor.ts";
import { classConditioning } from "../../class_embedding.ts";
import { zeros } from "../../init.ts";
import { sumFactors } from "../../magnitudes.ts";
import { Module } from "../../module.ts";
import type { Conditioning, Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { levelNumbers, oneHot } from "../edm/told.ts";
import { Block } from "./block.ts";
import { Features, join, Weights } from "./layers.ts";
import { type Edm2Options, widthsOf } from "./options.ts";

/** One resolution on the way down. */
export class EncoderLevel extends Module {
  readonly blocks: Block[] = [];

  /**
   * @param conv At the finest level, from the image.
   * @param down At the others, half the resolution.
   */
  constructor(readonly conv: Weights | undefined, readonly down: Block | undefined) {
    super();
  }
}

/** One resolution on the way up. */
export class DecoderLevel extends Module {
  readonly blocks: Block[] = [];

  /**
   * @param middle At the coarsest level, two blocks between the ways.
   * @param up At the others, twice the resolution.
   */
  constructor(readonly middle: Block[], readonly up: Block | undefined) {
    super();
  }
}

/** What the network expects of its own error, by the level of noise. */
export class Uncertainty extends Module {
  readonly features: Features;
  readonly linear: Weights;

  constructor(width: number) {
    super();
    this.features = new Features(width);
    this.linear = new Weights(width, 1);
  }

  /** ln of a variance, `[N, 1]`, of what the network is told of the noise, `[N]`. */
  forward(graph: Graph, level: LevelInput): Tensor {
    return this.linear.forward(this.features.forward(graph, levelTensor(graph, level)));
  }
}

/** The network. Levels are counted from the finest. */
export class Edm2UNet extends Module implements Network {
  readonly conditioning: Conditioning;
  /** Of the output; nothing at first. */
  readonly outputGain: Parameter;
  readonly features: Features;
  readonly noise: Weights;
  readonly label: Weights | undefined;
  readonly encoder: EncoderLevel[] = [];
  readonly decoder: DecoderLevel[] = [];
  readonly output: Weights;
  readonly uncertainty: Uncertainty | undefined;

  constructor(readonly options: Edm2Options, readonly shape: NetworkShape) {
    super();
    const { channels, classes, blocks, attentionLevels } = options;
    const widths = widthsOf(options), last = widths.length - 1;
    const noise = channels * (options.noiseMultiplier ?? options.channelMultipliers[0]!);
    const embedding = channels *
      (options.embeddingMultiplier ?? Math.max(...options.channelMultipliers));
    this.conditioning = classConditioning(options);
    this.outputGain = new Parameter([], zeros);
    this.features = new Features(noise);
    this.noise = new Weights(noise, embedding);
    this.label = classes > 0 ? new Weights(classes, embedding) : undefined;
    const block = (
      inputs: number,
      outputs: number,
      rest: { down: boolean; resample?: "down" | "up"; attends?: boolean },
    ) => new Block({ inputs, outputs, embedding, ...rest }, options);

    let width = widths[0]!;
    const skips: number[] = [];
    for (const [level, outputs] of widths.entries()) {
      const made = level === 0
        ? new EncoderLevel(new Weights(shape.channels + 1, width, 3), undefined)
        : new EncoderLevel(undefined, block(width, width, { down: true, resample: "down" }));
      skips.push(width);
      const attends = attentionLevels.includes(level);
      for (let i = 0; i < blocks; i++) {
        made.blocks.push(block(width, outputs, { down: true, attends }));
        skips.push(width = outputs);
      }
      this.encoder.push(made);
    }
    for (const [level, outputs] of [...widths.entries()].toReversed()) {
      const down = false, attends = attentionLevels.includes(level);
      const made = level === last
        ? new DecoderLevel([
          block(width, width, { down, attends: true }),
          block(width, width, { down }),
        ], undefined)
        : new DecoderLevel([], block(width, width, { down, resample: "up" }));
      for (let i = 0; i <= blocks; i++) {
        made.blocks.push(block(width + skips.pop()!, outputs, { down, attends }));
        width = outputs;
      }
      this.decoder[level] = made;
    }
    this.output = new Weights(width, shape.outputs ?? shape.channels, 3);
    const { uncertaintyFeatures } = options;
    this.uncertainty = uncertaintyFeatures > 0 ? new Uncertainty(uncertaintyFeatures) : undefined;
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, { x, level, labels }: NetworkInputs): Tensor {
    const { classes } = this.options;
    return this.predict(
      graph,
      x,
      level,
      labels && classes > 0 ? oneHot(graph, labels, classes) : undefined,
    );
  }

  /** The same of classes as numbers, one-hot or otherwise, `[N, classes]`. */
  predict(graph: Graph, x: Tensor, level: LevelInput, classes?: Tensor): Tensor {
    this.#checkImages(x);
    const embedding = silu(this.#embed(graph, level, classes));
    const ones = [...x.shape.slice(0, 3), 1];
    const one = graph.constant(
      graph.capture.table(`ones ${ones}`, ones, () => new Float32Array(sizeOf(ones)).fill(1)),
    );
    let h = concat(x, one);
    const skips: Tensor[] = [];
    for (const { conv, down, blocks } of this.encoder) {
      skips.push(h = conv ? conv.forward(h) : down!.forward(h, embedding));
      for (const block of blocks) skips.push(h = block.forward(h, embedding));
    }
    const { concatBalance } = this.options;
    for (const { middle, up, blocks } of this.decoder.toReversed()) {
      for (const block of middle) h = block.forward(h, embedding);
      if (up) h = up.forward(h, embedding);
      for (const block of blocks) {
        h = block.forward(join(h, skips.pop()!, concatBalance), embedding);
      }
    }
    return mul(this.output.forward(h), graph.parameter(this.outputGain));
  }

  #embed(graph: Graph, level: LevelInput, classes: Tensor | undefined): Tensor {
    const { timesteps } = this.shape;
    const numbers = levelNumbers(graph, level, timesteps, 1 / timesteps);
    const features = this.features.forward(graph, numbers);
    if (!this.label) return this.noise.forward(features);
    const [noise, label] = sumFactors(this.options.labelBalance);
    const told = this.noise.forward(features, noise);
    // No class is a row of zeros, which has no bias to leave.
    if (!classes) return told;
    return add(told, this.label.forward(classes, label * Math.sqrt(this.label.inputs)));
  }

  #checkImages(x: Tensor): void {
    const { height, width, channels } = this.shape;
    if (formatShape(x.shape.slice(1)) === formatShape([height, width, channels])) return;
    throw new RangeError(
      `Cannot run the network edm2: images must have shape [N, ${height}, ${width}, ${channels}], got ${
        formatShape(x.shape)
      }`,
    );
  }
}
