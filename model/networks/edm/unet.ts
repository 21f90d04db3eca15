/**
 * SongUNet and DhariwalUNet of NVlabs/edm (Karras et al. 2022, arXiv 2206.00364): U-Nets that are told
 * the noise level, a class and how an image was augmented.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import type { LevelInput } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { join } from "../../../autograd/ops/join.ts";
import { filterResample } from "../../../autograd/ops/filter_resample.ts";
import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { formatShape } from "../../../device/tensor.ts";
import { gaussian, zeros } from "../../init.ts";
import { classConditioning } from "../../class_embedding.ts";
import { GroupNorm } from "../../layers.ts";
import { Module } from "../../module.ts";
import type { Conditioning, Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { Block, type BlockOptions, type BlockStyle, scaled, tell } from "./block.ts";
import { Convolution, nothing, Projection, pytorch, xavier } from "./layers.ts";
import { type EdmOptions, groupsOf, widthsOf } from "./options.ts";
import { levelNumbers, oneHot, sinusoids } from "./told.ts";

/** Deviation of the frequencies of Fourier features, in turns a unit. */
const FOURIER_SCALE = 16;

/** Channels of a head of attention in DhariwalUNet. */
const HEAD_CHANNELS = 64;

/** One resolution on the way down. */
export class EncoderLevel extends Module {
  /** At the finest level, from the image. */
  readonly conv: Convolution | undefined;
  /** At the others, half the resolution. */
  readonly down: Block | undefined;
  /** From a small copy of the image. */
  readonly auxiliary: Convolution | undefined;
  readonly blocks: Block[] = [];

  constructor(made: Partial<Pick<EncoderLevel, "conv" | "down" | "auxiliary">>) {
    super();
    this.conv = made.conv;
    this.down = made.down;
    this.auxiliary = made.auxiliary;
  }
}

/** One resolution on the way up. */
export class DecoderLevel extends Module {
  /** At the coarsest level, two blocks between the ways. */
  readonly middle: Block[];
  /** At the others, twice the resolution. */
  readonly up: Block | undefined;
  readonly blocks: Block[] = [];
  /** To the output, where the level adds to it. */
  norm: GroupNorm | undefined;
  conv: Convolution | undefined;

  constructor(middle: Block[], up: Block | undefined) {
    super();
    this.middle = middle;
    this.up = up;
  }
}

/** What the network is told, as tensors of numbers. */
export interface Told {
  /** Classes, one-hot or otherwise, `[N, classes]`. */
  readonly classes?: Tensor | undefined;
  /** How images were augmented, `[N, augmentNumbers]`. */
  readonly augment?: Tensor | undefined;
}

/** The network. Levels are counted from the finest. */
export class EdmUNet extends Module implements Network {
  readonly conditioning: Conditioning;
  /** Turns a unit of the noise level, where it is told by Fourier features. */
  readonly frequencies: Parameter | undefined;
  readonly mapLabel: Projection | undefined;
  readonly mapAugment: Projection | undefined;
  readonly mapLayer0: Projection;
  readonly mapLayer1: Projection;
  readonly encoder: EncoderLevel[] = [];
  readonly decoder: DecoderLevel[] = [];
  readonly #song: boolean;
  readonly #style: BlockStyle;

  constructor(readonly options: EdmOptions, readonly shape: NetworkShape) {
    super();
    const { classes, augmentNumbers, channels } = options;
    this.conditioning = { ...classConditioning(options), augment: augmentNumbers };
    const song = this.#song = options.architecture === "song";
    const style = this.#style = styleOf(options);
    const features = channels * (song ? options.noiseMultiplier : 1);
    this.frequencies = options.embedding === "fourier"
      ? new Parameter([features / 2], gaussian(FOURIER_SCALE), false)
      : undefined;
    const { layer } = style.start;
    this.mapLabel = classes === 0
      ? undefined
      : song
      ? new Projection(classes, features, layer)
      : new Projection(classes, style.embedding, () => [gaussian(1), zeros], { bias: false });
    this.mapAugment = augmentNumbers === 0
      ? undefined
      : new Projection(augmentNumbers, features, song ? layer : nothing, { bias: false });
    this.mapLayer0 = new Projection(features, style.embedding, layer);
    this.mapLayer1 = new Projection(style.embedding, style.embedding, layer);
    this.#build(this.#encode());
  }

  /** Makes the way down; widths of what the way up is joined with. */
  #encode(): number[] {
    const { options, shape } = this;
    const { channels, blocks, attentionLevels, encoder } = options;
    const { taps, start } = this.#style;
    const widths = widthsOf(options);
    let width = this.#song ? channels : widths[0]!;
    let auxiliaryWidth = shape.channels;
    const skips: number[] = [];
    for (const [level, outputs] of widths.entries()) {
      const made = level === 0
        ? new EncoderLevel({ conv: new Convolution(shape.channels, width, 3, start.layer) })
        : new EncoderLevel({
          down: this.#block({ inputs: width, outputs: width, resample: "down" }),
          ...encoder === "standard" ? {} : {
            auxiliary: new Convolution(
              auxiliaryWidth,
              width,
              encoder === "skip" ? 1 : 3,
              start.layer,
              encoder === "skip" ? undefined : { taps, way: "down", after: true },
            ),
          },
        });
      if (level > 0 && encoder === "residual") auxiliaryWidth = width;
      skips.push(width);
      for (let i = 0; i < blocks; i++) {
        const attends = attentionLevels.includes(level);
        made.blocks.push(this.#block({ inputs: width, outputs }, attends));
        skips.push(width = outputs);
      }
      this.encoder.push(made);
    }
    return skips;
  }

  /** Makes the way up. */
  #build(skips: number[]): void {
    const { options, shape } = this;
    const { blocks, attentionLevels, decoder } = options;
    const widths = widthsOf(options), last = widths.length - 1;
    const { eps, start } = this.#style;
    let width = widths[last]!;
    for (const [level, outputs] of [...widths.entries()].toReversed()) {
      const same = { inputs: width, outputs: width };
      const made = level === last
        ? new DecoderLevel([this.#block(same, true), this.#block(same)], undefined)
        : new DecoderLevel([], this.#block({ ...same, resample: "up" }));
      for (let i = 0; i <= blocks; i++) {
        const attends = attentionLevels.includes(level) && (!this.#song || i === blocks);
        made.blocks.push(this.#block({ inputs: width + skips.pop()!, outputs }, attends));
        width = outputs;
      }
      if (level === 0 || decoder === "skip") {
        made.norm = new GroupNorm(width, groupsOf(width), eps);
        const { outputs: channels = shape.channels * (options.learnedVariance ? 2 : 1) } = shape;
        made.conv = new Convolution(width, channels, 3, start.last);
      }
      this.decoder[level] = made;
    }
  }

  #block(options: BlockOptions, attends = false): Block {
    const heads = !attends ? 0 : this.#song ? 1 : Math.floor(options.outputs / HEAD_CHANNELS);
    return new Block({ ...options, heads }, this.#style);
  }

  /** See {@linkcode Network.forward}; of a learned variance nothing is given. */
  forward(graph: Graph, inputs: NetworkInputs): Tensor {
    return this.predict(graph, inputs.x, inputs.level, this.#told(graph, inputs));
  }

  /** See {@linkcode Network.forwardWithVariance}. */
  forwardWithVariance(graph: Graph, inputs: NetworkInputs): Tensor {
    return this.predictAll(graph, inputs.x, inputs.level, this.#told(graph, inputs));
  }

  #told(graph: Graph, { labels, augment }: NetworkInputs): Told {
    const { classes } = this.options;
    return {
      classes: labels && classes > 0 ? oneHot(graph, labels, classes) : undefined,
      augment: augment && graph.constant(augment),
    };
  }

  /** The same of classes as numbers. */
  predict(graph: Graph, x: Tensor, level: LevelInput, told: Told = {}): Tensor {
    const out = this.predictAll(graph, x, level, told);
    const { channels } = this.shape;
    return this.options.learnedVariance ? columns(out, 0, channels) : out;
  }

  /** The same with the channels of a learned variance, where it has some. */
  predictAll(graph: Graph, x: Tensor, level: LevelInput, told: Told = {}): Tensor {
    this.#checkImages(x);
    const tellBlock = this.#tell(graph, level, told);
    return this.#forwardUp(this.#forwardDown(x, tellBlock), tellBlock);
  }

  #tell(graph: Graph, level: LevelInput, { classes, augment }: Told) {
    const { timesteps } = this.shape;
    const unit = this.frequencies ? 1 / timesteps : 1;
    const numbers = levelNumbers(graph, level, timesteps, unit);
    let embedding = this.frequencies
      ? fourierFeatures(numbers, graph.parameter(this.frequencies))
      : sinusoids(numbers, this.mapLayer0.inputs, {
        shift: this.#song ? 1 : 0,
        cosinesFirst: !this.#song,
      });
    const labelled = (x: Tensor) => {
      const layer = this.mapLabel;
      if (layer && classes) {
        return add(x, layer.forward(scaled(classes, this.#song ? Math.sqrt(layer.inputs) : 1)));
      }
      // No class is a row of zeros, of which the bias is left.
      return layer?.bias ? add(x, graph.parameter(layer.bias)) : x;
    };
    if (this.#song) embedding = labelled(embedding);
    if (this.mapAugment && augment) embedding = add(embedding, this.mapAugment.forward(augment));
    embedding = this.mapLayer1.forward(silu(this.mapLayer0.forward(embedding)));
    if (!this.#song) embedding = labelled(embedding);
    const blocks = [
      ...this.encoder.flatMap(({ down, blocks }) => down ? [down, ...blocks] : blocks),
      ...this.decoder.flatMap((
        { middle, up, blocks },
      ) => [...middle, ...up ? [up] : [], ...blocks]),
    ];
    return tell(silu(embedding), blocks);
  }

  #forwardDown(x: Tensor, told: ReturnType<typeof tell>): { h: Tensor; skips: Tensor[] } {
    const { taps } = this.#style;
    let auxiliary = x, h = x;
    const skips: Tensor[] = [];
    for (const { conv, down, auxiliary: join, blocks } of this.encoder) {
      h = conv ? conv.forward(h) : down!.forward(h, told(down!));
      if (join && this.options.encoder === "skip") {
        auxiliary = filterResample(auxiliary, { taps, way: "down" });
        h = join.forward(auxiliary, { residual: h });
      } else if (join) {
        h = auxiliary = scale(add(join.forward(auxiliary), h), Math.SQRT1_2);
      }
      skips.push(h);
      for (const block of blocks) skips.push(h = block.forward(h, told(block)));
    }
    return { h, skips };
  }

  #forwardUp(
    { h: from, skips }: { readonly h: Tensor; readonly skips: Tensor[] },
    told: ReturnType<typeof tell>,
  ): Tensor {
    const { taps } = this.#style;
    let h = from, out: Tensor | undefined;
    for (const { middle, up, blocks, norm, conv } of this.decoder.toReversed()) {
      for (const block of middle) h = block.forward(h, told(block));
      if (up) h = up.forward(h, told(up));
      for (const block of blocks) {
        const both = block.joins ? join : concat;
        h = block.forward(both(h, skips.pop()!), told(block));
      }
      if (out) out = filterResample(out, { taps, way: "up" });
      if (norm && conv) {
        const normal = norm.forward(h, { silu: true });
        out = conv.forward(normal, out ? { residual: out } : {});
      }
    }
    return out!;
  }

  #checkImages(x: Tensor): void {
    const { height, width, channels } = this.shape;
    if (formatShape(x.shape.slice(1)) === formatShape([height, width, channels])) return;
    throw new RangeError(
      `Cannot run the network edm: images must have shape [N, ${height}, ${width}, ${channels}], got ${
        formatShape(x.shape)
      }`,
    );
  }
}

/** What blocks of an architecture have in common. */
function styleOf(
  { architecture, channels, embeddingMultiplier, dropout, resampleFilter }: EdmOptions,
): BlockStyle {
  const common = { embedding: channels * embeddingMultiplier, dropout, taps: resampleFilter };
  return architecture === "song"
    ? {
      ...common,
      adaptiveScale: false,
      skipScale: Math.SQRT1_2,
      eps: 1e-6,
      resampleProjection: true,
      start: { layer: xavier(), attention: xavier(Math.sqrt(0.2)), last: xavier(1e-5) },
    }
    : {
      ...common,
      adaptiveScale: true,
      skipScale: 1,
      eps: 1e-5,
      resampleProjection: false,
      start: { layer: pytorch, attention: pytorch, last: nothing },
    };
}
