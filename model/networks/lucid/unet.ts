/**
 * The U-Net of lucidrains' denoising-diffusion-pytorch (github.com/lucidrains/denoising-diffusion-pytorch)
 * and of its relatives: at each level two residual blocks, attention and a change of resolution.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { formatShape } from "../../../device/tensor.ts";
import { classConditioning } from "../../class_embedding.ts";
import type { Heads } from "../../memories.ts";
import { Module } from "../../module.ts";
import type { Conditioning, Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { FullAttention, LinearAttention } from "./attention.ts";
import { conditionBlocks, Resample, ResidualBlock } from "./blocks.ts";
import { ClassEmbedding, LevelEmbedding } from "./embedding.ts";
import { Conv } from "./layers.ts";
import type { LucidOptions } from "./options.ts";
import { type Style, STYLES } from "./styles.ts";

/** Either kind of attention. */
export type Attention = LinearAttention | FullAttention;

/** One resolution on the way down or up. */
export class Level extends Module {
  constructor(
    readonly block1: ResidualBlock,
    readonly block2: ResidualBlock,
    readonly attention: Attention,
    readonly resample: Resample,
  ) {
    super();
  }
}

/** The coarsest resolution, between the two ways. */
export class Middle extends Module {
  constructor(
    readonly block1: ResidualBlock,
    readonly attention: FullAttention,
    readonly block2: ResidualBlock,
  ) {
    super();
  }
}

/** The network. */
export class LucidUNet extends Module implements Network {
  readonly conditioning: Conditioning;
  readonly level: LevelEmbedding;
  readonly classes: ClassEmbedding | undefined;
  /** From the image to the finest level. */
  readonly head: Conv;
  /** The way down, finest first. */
  readonly down: Level[];
  readonly middle: Middle;
  /** The way up, coarsest first. */
  readonly up: Level[];
  readonly last: ResidualBlock;
  readonly tail: Conv;

  constructor(readonly options: LucidOptions, readonly shape: NetworkShape) {
    super();
    const style: Style = STYLES[options.style];
    const { channels, channelMultipliers, dropout } = options;
    const widths = widthsOf(options);
    const [first = channels] = widths, coarsest = widths.at(-1)!;
    const last = channelMultipliers.length - 1;
    const embedding = (options.classes > 0 ? 8 : 4) * channels;
    const block = (inputs: number, outputs: number) =>
      new ResidualBlock(style, inputs, outputs, { embedding, dropout });
    const attention = (level: number, width: number) => attentionOf(style, options, level, width);

    this.level = new LevelEmbedding(style, options, shape.timesteps);
    this.classes = options.classes > 0 ? new ClassEmbedding(style, options) : undefined;
    const { selfCondition } = options;
    this.conditioning = { ...classConditioning(options), ...selfCondition && { selfCondition } };
    const inputs = shape.channels * (options.selfCondition ? 2 : 1);
    this.head = new Conv(style, inputs, first, { kernel: 7 });
    this.down = channelMultipliers.map((_, level) => {
      const width = widths[level]!, next = widths[level + 1]!;
      const way = level < last ? "down" : "stay";
      return new Level(
        block(width, width),
        block(width, width),
        attention(level, width),
        new Resample(style, width, next, way),
      );
    });
    this.middle = new Middle(
      block(coarsest, coarsest),
      new FullAttention(style, coarsest, headsOf(options, last), cosineOf(style, options)),
      block(coarsest, coarsest),
    );
    this.up = channelMultipliers.map((_, i) => {
      const level = last - i;
      const width = widths[level + 1]!, next = widths[level]!;
      return new Level(
        block(width + next, width),
        block(width + next, width),
        attention(level, width),
        new Resample(style, width, next, level > 0 ? "up" : "stay"),
      );
    });
    this.last = block(2 * first, first);
    const { outputs = shape.channels * (options.learnedVariance ? 2 : 1) } = shape;
    this.tail = new Conv(style, first, outputs, { kernel: 1 });
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, inputs: NetworkInputs): Tensor {
    const x = this.#input(graph, inputs);
    const { middle, last } = this;
    const conditioned = conditionBlocks(silu(this.#embedding(graph, inputs)), [
      ...this.down.flatMap(({ block1, block2 }) => [block1, block2]),
      ...[middle.block1, middle.block2],
      ...this.up.flatMap(({ block1, block2 }) => [block1, block2]),
      last,
    ]);
    const run = (block: ResidualBlock, x: Tensor, skip?: Tensor) =>
      graph.checkpoint(() => block.forward(skip ? concat(x, skip) : x, conditioned(block)));
    const attend = (attention: Attention, x: Tensor) =>
      graph.checkpoint(() => add(attention.forward(x), x));
    const head = this.head.forward(x);
    let h = head;
    const skips: Tensor[] = [];
    for (const { block1, block2, attention, resample } of this.down) {
      skips.push(h = run(block1, h));
      skips.push(h = attend(attention, run(block2, h)));
      h = resample.forward(h);
    }
    h = run(middle.block2, attend(middle.attention, run(middle.block1, h)));
    for (const { block1, block2, attention, resample } of this.up) {
      h = run(block1, h, skips.pop());
      h = attend(attention, run(block2, h, skips.pop()));
      h = resample.forward(h);
    }
    return this.tail.forward(run(last, h, head));
  }

  /** What the blocks are told. */
  #embedding(graph: Graph, { level, labels }: NetworkInputs): Tensor {
    const levels = this.level.forward(graph, level);
    if (!this.classes) return levels;
    if (!labels) throw new RangeError("Cannot run the U-Net: it must be given labels, got none");
    return concat(levels, this.classes.forward(graph, labels));
  }

  /** The noisy image, behind the one predicted before where the network wants to know of it. */
  #input(graph: Graph, { x, selfCondition }: NetworkInputs): Tensor {
    const { channels } = this.shape;
    if (x.shape.length !== 4 || x.shape[3] !== channels) {
      throw new RangeError(
        `Cannot run the U-Net: images must have shape [N, H, W, ${channels}], got ${
          formatShape(x.shape)
        }`,
      );
    }
    if (!this.options.selfCondition) return x;
    if (selfCondition) return concat(selfCondition, x);
    const nothing = new Float32Array(x.shape.reduce((product, n) => product * n, 1));
    return concat(graph.constant(graph.capture.constant(x.shape, nothing, "no image")), x);
  }
}

/** Widths: of the first convolution, then of each level. */
function widthsOf({ channels, initialChannels, channelMultipliers }: LucidOptions): number[] {
  return [initialChannels ?? channels, ...channelMultipliers.map((m) => m * channels)];
}

/** Heads of a level. */
function headsOf({ heads, headChannels }: LucidOptions, level: number): Heads {
  return { heads: heads[level] ?? heads[0]!, channels: headChannels[level] ?? headChannels[0]! };
}

/** Attention of a level; the code bases give their linear attention heads of its own. */
function attentionOf(
  style: Style,
  options: LucidOptions,
  level: number,
  width: number,
): Attention {
  const last = options.channelMultipliers.length - 1;
  const full = style.knows.includes("fullAttention") ? options.fullAttention ?? [last] : [];
  if (full.includes(level)) return new FullAttention(style, width, headsOf(options, level));
  return new LinearAttention(style, width, style.linearHeads ?? headsOf(options, level));
}

/** Flax's full attention compares directions. */
function cosineOf(style: Style, { cosineAxis }: LucidOptions) {
  return style.groups === undefined ? undefined : cosineAxis;
}
