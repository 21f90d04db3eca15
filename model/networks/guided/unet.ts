/**
 * The U-Net of guided-diffusion (Dhariwal and Nichol 2021, arXiv 2105.05233), as GenerativeZoo has it
 * too, over signals, images or volumes.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import type { Conditioning } from "../../../autograd/network_inputs.ts";
import { add } from "../../../autograd/ops/add.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { join } from "../../../autograd/ops/join.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { formatShape } from "../../../device/tensor.ts";
import { projectTime, type TimeColumns } from "../../blocks.ts";
import { normals, pytorchInit, zeroInit } from "../../init.ts";
import { GroupNorm } from "../../layers.ts";
import { Module } from "../../module.ts";
import type { Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { SpatialConv } from "../../spatial.ts";
import { TimeEmbedding } from "../../time_embedding.ts";
import { type BlockStyle, GuidedAttention, GuidedBlock, GuidedResampling } from "./blocks.ts";
import { type GuidedOptions, widthsOf } from "./options.ts";

/** What it depends on besides its options. */
export type GuidedShape = Pick<NetworkShape, "channels" | "outputs" | "timesteps" | "depth">;

/** What runs one after the other between two joints of the network. */
export class Stage extends Module {
  constructor(readonly parts: (GuidedBlock | GuidedAttention | GuidedResampling)[]) {
    super();
  }
}

/** From the last features to the prediction. */
class Tail extends Module {
  constructor(readonly norm: GroupNorm, readonly conv: SpatialConv) {
    super();
  }
}

/** Told of tensors inside a forward pass, by the names of guided-diffusion's modules. */
export type Observe = (name: string, tensor: Tensor) => void;

/** What a stage is given beside its input. */
interface Surroundings {
  readonly time: (block: GuidedBlock) => TimeColumns;
  /** Slices of a volume; 1 for others. */
  readonly depth: number;
  /** Joined to the channels of the input. */
  readonly skip: Tensor | undefined;
}

/** The network. */
export class GuidedUNet extends Module implements Network {
  readonly conditioning: Conditioning;
  readonly timeEmbedding: TimeEmbedding;
  /** An embedding of each class, added to that of time: `[classes, 4 channels]`. */
  readonly classEmbedding: Parameter | undefined;
  readonly head: SpatialConv;
  /** The way down: what each stage makes is joined to an input of the way up. */
  readonly down: Stage[];
  readonly middle: Stage;
  readonly up: Stage[];
  readonly tail: Tail;

  /** Builds the network; its weights are made apart. */
  constructor(readonly options: GuidedOptions, readonly shape: GuidedShape) {
    super();
    const { channels, blocks, dims, groups, dropout, scaleShift, classes } = options;
    const { outputs = (options.learnedVariance ? 2 : 1) * shape.channels } = shape;
    const timeChannels = 4 * channels;
    const style: BlockStyle = { dims, groups, dropout, timeChannels, scaleShift };
    const conv = (from: number, to: number, init = pytorchInit) =>
      new SpatialConv(dims, from, to, { kernel: 3, init });
    const widths = widthsOf(options), last = widths.length - 1;
    const attention = (width: number, level: number, heads = options.heads) =>
      options.attentionFactors.includes(2 ** level) ? [attentionOf(options, width, heads)] : [];
    const resampling = (width: number, change: "halve" | "double") =>
      options.blockResample
        ? new GuidedBlock(width, width, style, change)
        : new GuidedResampling(width, dims, change, options.convResample);

    this.conditioning = { labels: classes };
    this.timeEmbedding = new TimeEmbedding(
      shape.timesteps,
      channels,
      timeChannels,
      0,
      pytorchInit,
    );
    this.classEmbedding = classes > 0 ? new Parameter([classes, timeChannels], normals) : undefined;
    let width = widths[0]!;
    this.head = conv(shape.channels, width);
    const skips = [width];
    this.down = widths.flatMap((to, level) => {
      const stages = Array.from({ length: blocks }, () => {
        const block = new GuidedBlock(width, to, style);
        skips.push(width = to);
        return new Stage([block, ...attention(to, level)]);
      });
      if (level === last) return stages;
      skips.push(width);
      return [...stages, new Stage([resampling(width, "halve")])];
    });
    const same = () => new GuidedBlock(width, width, style);
    this.middle = new Stage([same(), attentionOf(options, width), same()]);
    this.up = widths.map((to, level) => ({ to, level })).reverse().flatMap(({ to, level }) =>
      Array.from({ length: blocks + 1 }, (_, i) => {
        const block = new GuidedBlock(width + skips.pop()!, to, style);
        width = to;
        const up = level > 0 && i === blocks ? [resampling(to, "double")] : [];
        return new Stage([block, ...attention(to, level, options.headsUp ?? options.heads), ...up]);
      })
    );
    this.tail = new Tail(new GroupNorm(width, groups), conv(width, outputs, zeroInit));
  }

  /**
   * Records a forward pass.
   *
   * @param inputs Timesteps are u32 `[N]`, each below T; `x` is `[N, H, W, C]` with the shape's depth,
   *   or has the axes of signals `[N, L, C]` or volumes `[N, D, H, W, C]`.
   * @param observe Told of what the stages make.
   * @returns The prediction, of the shape of `x` but for its channels.
   * @throws {RangeError} When the inputs have other shapes.
   */
  forward(graph: Graph, inputs: NetworkInputs, observe: Observe = () => {}): Tensor {
    const { x, depth } = this.#layOut(inputs.x);
    const embedding = this.#embed(graph, inputs, observe);
    const time = this.#projectTime(embedding, depth);
    const run = (stage: Stage, h: Tensor, skip?: Tensor) =>
      this.#run(stage, h, { time, depth, skip });
    let h = this.head.forward(x, depth);
    observe("input_blocks.0", h);
    const skips = [h];
    for (const [i, stage] of this.down.entries()) {
      skips.push(h = run(stage, h));
      observe(`input_blocks.${i + 1}`, h);
    }
    h = run(this.middle, h);
    observe("middle_block", h);
    for (const [i, stage] of this.up.entries()) {
      h = run(stage, h, skips.pop());
      observe(`output_blocks.${i}`, h);
    }
    const y = this.tail.conv.forward(this.tail.norm.forward(h, { silu: true }), depth);
    return reshape(y, [...inputs.x.shape.slice(0, -1), y.shape.at(-1)!]);
  }

  /** All blocks, in the order of running. */
  *blocks(): Generator<GuidedBlock> {
    for (const { parts } of [...this.down, this.middle, ...this.up]) {
      for (const part of parts) if (part instanceof GuidedBlock) yield part;
    }
  }

  /** Runs a stage; what is inside each part is made again where a graph recomputes blocks. */
  #run({ parts }: Stage, x: Tensor, { time, depth, skip }: Surroundings): Tensor {
    return parts.reduce(
      (h, part, i) =>
        x.graph.checkpoint(() => {
          const both = part instanceof GuidedBlock && part.joins ? join : concat;
          const joined = i === 0 && skip ? both(h, skip) : h;
          return part instanceof GuidedBlock
            ? part.forward(joined, time(part), depth)
            : part.forward(joined, depth);
        }),
      x,
    );
  }

  #embed(graph: Graph, { level, labels }: NetworkInputs, observe: Observe): Tensor {
    const time = this.timeEmbedding.forward(graph, level);
    observe("time_embed", time);
    const { classEmbedding } = this;
    if (!classEmbedding) return time;
    if (!labels) {
      throw new RangeError(
        `Cannot run the network: it must be given a class of each image, below ${this.options.classes}`,
      );
    }
    return add(time, gatherRows(graph.parameter(classEmbedding), graph.constant(labels)));
  }

  /** The embedding for each block: where it is added to volumes, in a row a slice. */
  #projectTime(embedding: Tensor, depth: number): (block: GuidedBlock) => TimeColumns {
    const of = projectTime(silu(embedding), [...this.blocks()]);
    if (depth === 1 || this.options.scaleShift) return of;
    const { graph } = embedding;
    const [n = 0] = embedding.shape;
    const slices = Uint32Array.from({ length: n * depth }, (_, i) => Math.floor(i / depth));
    const rows = graph.constant(graph.capture.constant([n * depth], slices, "slices"));
    let projections: Tensor | undefined;
    return (block) => {
      const own = of(block);
      projections ??= gatherRows(own.projections, rows);
      return { projections, start: own.start };
    };
  }

  /** The input as `[N, H, W, C]`, and the slices of a volume in it. */
  #layOut(x: Tensor): { x: Tensor; depth: number } {
    const { shape: { channels, depth = 1 }, options } = this;
    const { dims } = options;
    const [n = 0, ...axes] = x.shape;
    const rank = x.shape.length;
    const unit = 2 ** (options.channelMultipliers.length - 1);
    const laidOut = rank === 3 && dims === 1
      ? { x: reshape(x, [n, 1, ...axes]), depth: 1 }
      : rank === 5 && dims === 3
      ? { x: reshape(x, [n, axes[0]! * axes[1]!, ...axes.slice(2)]), depth: axes[0]! }
      : { x, depth: dims === 3 ? depth : 1 };
    const [, rows = 0, width = 0] = laidOut.x.shape;
    const height = rows / laidOut.depth;
    const sides = dims === 1 ? [width] : [height, width];
    const fits = laidOut.x.shape.length === 4 && axes.at(-1) === channels &&
      sides.every((side) => side > 0 && side % unit === 0) && (dims > 1 || height === 1);
    if (fits) return laidOut;
    throw new RangeError(
      `Cannot run the network: its input must be ${
        ["[N, L, C]", "[N, H, W, C]", "[N, D, H, W, C]"][dims - 1]
      } with ${channels} channels and sides in multiples of ${unit}, got ${formatShape(x.shape)}`,
    );
  }
}

function attentionOf(
  { groups, headChannels, qkvOrder, heads: own }: GuidedOptions,
  width: number,
  heads = own,
): GuidedAttention {
  const count = headChannels === null ? heads : width / headChannels;
  return new GuidedAttention(width, groups, count, qkvOrder === "head-by-head");
}
