/**
 * `UNet2DModel` of Hugging Face diffusers: the U-Net of Ho et al. 2020 with the choices of that class.
 * Properties are named as they are there, so that parameters' names follow.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { givenLevels, type LevelInput, levelTensor } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { inverseLevels } from "../../../autograd/ops/levels.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { parallelLinear } from "../../../autograd/ops/parallel_linear.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { formatShape, type TensorRef } from "../../../device/tensor.ts";
import { normals } from "../../init.ts";
import { type Conv2d, GroupNorm } from "../../layers.ts";
import { Module } from "../../module.ts";
import type { Conditioning, Network, NetworkInputs, NetworkShape } from "../../network.ts";
import {
  activate,
  type BlockStyle,
  conv,
  Downsampler,
  MidBlock,
  PixelAttention,
  Resnet,
  type TimeColumns,
  Upsampler,
} from "./blocks.ts";
import type { DiffusersOptions } from "./options.ts";
import { LearnedTimes, LogFourier, Sinusoids, TimePerceptron } from "./time.ts";

/** What it depends on besides its options; images may have any size that halves evenly. */
export type DiffusersShape = Pick<NetworkShape, "channels" | "outputs" | "timesteps">;

/** One resolution on the way down; the coarsest keeps its resolution. */
class DownBlock extends Module {
  constructor(
    readonly attentions: readonly PixelAttention[],
    readonly resnets: readonly Resnet[],
    readonly downsamplers: readonly (Downsampler | Resnet)[],
  ) {
    super();
  }
}

/** One resolution on the way up; the finest keeps its resolution. */
class UpBlock extends Module {
  constructor(
    readonly attentions: readonly PixelAttention[],
    readonly resnets: readonly Resnet[],
    readonly upsamplers: readonly (Upsampler | Resnet)[],
  ) {
    super();
  }
}

/** Rows of classes. */
class ClassTable extends Module {
  readonly weight: Parameter;

  constructor(classes: number, channels: number) {
    super();
    this.weight = new Parameter([classes, channels], normals);
  }

  /** u32 `[N]` to `[N, channels]`. */
  forward(labels: Tensor): Tensor {
    return gatherRows(labels.graph.parameter(this.weight), labels);
  }
}

/** The network. Levels on the way up are counted from the coarsest. */
export class DiffusersUNet extends Module implements Network {
  readonly conditioning: Conditioning;
  readonly convIn: Conv2d;
  readonly timeProj: Sinusoids | LogFourier | LearnedTimes;
  readonly timeEmbedding: TimePerceptron;
  readonly classEmbedding: ClassTable | undefined;
  readonly downBlocks: readonly DownBlock[];
  readonly midBlock: MidBlock | undefined;
  readonly upBlocks: readonly UpBlock[];
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  /** Builds the network; its weights are made apart. */
  constructor(readonly options: DiffusersOptions, readonly shape: DiffusersShape) {
    super();
    const { blockOutChannels: widths, normNumGroups: groups, normEps: eps } = options;
    const [first = 0] = widths;
    const timeChannels = options.timeEmbeddingDim ?? 4 * first;
    this.conditioning = { labels: options.numClassEmbeds ?? 0 };
    this.convIn = conv(shape.channels, first);
    this.timeProj = timesOf(options, shape);
    const inputs = options.timeEmbeddingType === "fourier" ? 2 * first : first;
    this.timeEmbedding = new TimePerceptron(inputs, timeChannels);
    this.classEmbedding = options.numClassEmbeds === null
      ? undefined
      : new ClassTable(options.numClassEmbeds, timeChannels);
    const style: BlockStyle = {
      ...{ groups, eps, timeChannels, act: options.actFn, dropout: options.dropout },
      modulated: options.resnetTimeScaleShift === "scale_shift",
    };
    const skips = [first];
    this.downBlocks = downBlocks(options, style, skips);
    this.midBlock = midBlock(options, style);
    this.upBlocks = upBlocks(options, style, skips);
    this.convNormOut = new GroupNorm(first, groups, eps);
    this.convOut = conv(first, shape.outputs ?? shape.channels);
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, { x, level, labels }: NetworkInputs): Tensor {
    this.#checkInputs(x, levelTensor(graph, level), labels);
    const time = this.#projectTime(graph, level, labels);
    let h = this.convIn.forward(this.options.centerInputSample ? centred(x) : x);
    const skips = [h];
    for (const { resnets, attentions, downsamplers } of this.downBlocks) {
      for (const [i, resnet] of resnets.entries()) {
        h = resnet.forward(h, time(resnet));
        if (attentions[i]) h = attentions[i].forward(h);
        skips.push(h);
      }
      for (const one of downsamplers) skips.push(h = resampled(one, h, time));
    }
    if (this.midBlock) h = this.midBlock.forward(h, time);
    for (const { resnets, attentions, upsamplers } of this.upBlocks) {
      for (const [i, resnet] of resnets.entries()) {
        h = resnet.forward(h, time(resnet), skips.pop());
        if (attentions[i]) h = attentions[i].forward(h);
      }
      for (const one of upsamplers) h = resampled(one, h, time);
    }
    const out = this.convOut.forward(this.convNormOut.forward(h, { silu: true }));
    return this.timeProj instanceof LogFourier
      ? mul(out, inverseLevels(graph, givenLevels(graph, level)))
      : out;
  }

  /** The embedding of time in front of its perceptron, `[N, channels]`. */
  project(graph: Graph, level: LevelInput): Tensor {
    return this.timeProj.forward(graph, level);
  }

  /** Projects the embedding of time and class for all blocks in one product. */
  #projectTime(
    graph: Graph,
    level: LevelInput,
    labels: TensorRef | undefined,
  ): (block: Resnet) => TimeColumns | undefined {
    let embedding = this.timeEmbedding.forward(this.project(graph, level));
    if (this.classEmbedding && labels) {
      embedding = add(embedding, this.classEmbedding.forward(graph.constant(labels)));
    }
    const starts = new Map<Resnet, number>();
    let columns = 0;
    const layers = [...this.#resnets()].map((block) => {
      const { weight, bias, outputs } = block.timeEmbProj!;
      starts.set(block, columns);
      columns += outputs;
      return { weight: graph.parameter(weight), bias: graph.parameter(bias) };
    });
    const projections = parallelLinear(activate(embedding, this.options.actFn), layers);
    return (block) => ({ projections, start: starts.get(block) ?? 0 });
  }

  *#resnets(): Generator<Resnet> {
    const isResnet = (one: Module): one is Resnet => one instanceof Resnet;
    for (const { resnets, downsamplers } of this.downBlocks) {
      yield* [...resnets, ...downsamplers].filter(isResnet);
    }
    if (this.midBlock) yield* this.midBlock.resnets;
    for (const { resnets, upsamplers } of this.upBlocks) {
      yield* [...resnets, ...upsamplers].filter(isResnet);
    }
  }

  #checkInputs(x: Tensor, { ref: level }: Tensor, labels: TensorRef | undefined): void {
    const refuse = (rule: string, got: string) => {
      throw new RangeError(`Cannot run the U-Net of diffusers: ${rule}, got ${got}`);
    };
    const [n, height = 0, width = 0, channels] = x.shape;
    const factor = 2 ** (this.downBlocks.length - 1);
    if (
      x.shape.length !== 4 || channels !== this.shape.channels || height % factor || width % factor
    ) {
      const shape = `[N, H, W, ${this.shape.channels}]`;
      refuse(
        `images must have shape ${shape} with sides that are multiples of ${factor}`,
        formatShape(x.shape),
      );
    }
    if (level.shape.length !== 1 || level.shape[0] !== n) {
      refuse(`levels must have shape [${n}]`, formatShape(level.shape));
    }
    const type = this.options.timeEmbeddingType;
    const wanted = type === "fourier" ? "f32" : type === "learned" ? "u32" : level.dtype;
    if (level.dtype !== wanted) {
      const kind = wanted === "f32" ? "noise levels, f32," : "timesteps, u32,";
      refuse(`it must be told ${kind} for timeEmbeddingType ${type}`, level.dtype);
    }
    if (this.classEmbedding && !labels) refuse("it must be told a class of each image", "none");
  }
}

function centred(x: Tensor): Tensor {
  const { graph } = x;
  const one = graph.capture.table("minus one", [1], () => Float32Array.of(-1));
  return add(scale(x, 2), graph.constant(one));
}

function resampled(
  by: Downsampler | Upsampler | Resnet,
  x: Tensor,
  time: (block: Resnet) => TimeColumns | undefined,
): Tensor {
  return by instanceof Resnet ? by.forward(x, time(by)) : by.forward(x);
}

function timesOf(
  { blockOutChannels, timeEmbeddingType, freqShift: shift, flipSinToCos }: DiffusersOptions,
  { timesteps }: DiffusersShape,
): Sinusoids | LogFourier | LearnedTimes {
  const [channels = 0] = blockOutChannels;
  switch (timeEmbeddingType) {
    case "positional":
      return new Sinusoids({ timesteps, channels, shift, cosinesFirst: flipSinToCos });
    case "fourier":
      return new LogFourier(channels);
    case "learned":
      return new LearnedTimes(timesteps, channels);
  }
}

/** Attention of a level, where its kind has one. */
function attentionsOf(
  type: string,
  count: number,
  channels: number,
  { attentionHeadDim }: DiffusersOptions,
  style: BlockStyle,
): PixelAttention[] {
  if (!type.startsWith("Attn")) return [];
  return Array.from(
    { length: count },
    () => new PixelAttention(channels, style.groups, attentionHeadDim ?? channels, style),
  );
}

/** Whether a level's resolution is changed by a residual block. */
function byResnet(type: string, resampler: string): boolean {
  return type.startsWith("Resnet") || (type.startsWith("Attn") && resampler === "resnet");
}

/** @param skips Widths of what is joined on the way up; they are added to. */
function downBlocks(options: DiffusersOptions, style: BlockStyle, skips: number[]): DownBlock[] {
  const { downBlockTypes, layersPerBlock, downsampleType, downsamplePadding } = options;
  let [width = 0] = skips;
  return options.blockOutChannels.map((outputs, level) => {
    const type = downBlockTypes[level]!;
    const attentions = attentionsOf(type, layersPerBlock, outputs, options, style);
    const resnets = Array.from({ length: layersPerBlock }, () => {
      const made = new Resnet(width, outputs, style);
      skips.push(width = outputs);
      return made;
    });
    if (level === options.blockOutChannels.length - 1) {
      return new DownBlock(attentions, resnets, []);
    }
    skips.push(width);
    return new DownBlock(attentions, resnets, [
      byResnet(type, downsampleType)
        ? new Resnet(width, width, style, "down")
        : new Downsampler(width, downsamplePadding),
    ]);
  });
}

function midBlock(options: DiffusersOptions, style: BlockStyle): MidBlock | undefined {
  if (options.midBlockType === null) return undefined;
  const channels = options.blockOutChannels.at(-1)!;
  const groups = options.attnNormNumGroups ?? (style.modulated ? null : style.groups);
  const headChannels = options.attentionHeadDim ?? channels;
  return new MidBlock(
    channels,
    { ...style, divisor: options.midBlockScaleFactor },
    options.addAttention ? { groups, headChannels } : undefined,
  );
}

/** @param skips Widths of what is joined, which is taken from its end. */
function upBlocks(options: DiffusersOptions, style: BlockStyle, skips: number[]): UpBlock[] {
  const { upBlockTypes, layersPerBlock, upsampleType } = options;
  let width = options.blockOutChannels.at(-1)!;
  return options.blockOutChannels.toReversed().map((outputs, place) => {
    const type = upBlockTypes[place]!;
    const attentions = attentionsOf(type, layersPerBlock + 1, outputs, options, style);
    const resnets = Array.from({ length: layersPerBlock + 1 }, () => {
      const made = new Resnet(width + (skips.pop() ?? 0), outputs, style);
      width = outputs;
      return made;
    });
    if (place === options.blockOutChannels.length - 1) return new UpBlock(attentions, resnets, []);
    return new UpBlock(attentions, resnets, [
      byResnet(type, upsampleType) ? new Resnet(width, width, style, "up") : new Upsampler(width),
    ]);
  });
}
