/**
 * The U-Net of Ho et al. 2020 (arXiv 2006.11239, appendix B) as its PyTorch re-implementation has it:
 * residual blocks with a time embedding on the way down and up, joined level by level.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { levelTensor } from "../../../autograd/network_inputs.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { formatShape } from "../../../device/tensor.ts";
import {
  Downsample,
  NEARLY_ZERO_GAIN,
  projectTime,
  ResidualBlock,
  Upsample,
} from "../../blocks.ts";
import { classConditioning, ClassEmbedding, withClass } from "../../class_embedding.ts";
import { Conv2d, GroupNorm } from "../../layers.ts";
import { Module } from "../../module.ts";
import type { Conditioning, Network, NetworkInputs, NetworkShape } from "../../network.ts";
import type { UNetOptions } from "./options.ts";
import { TimeEmbedding } from "../../time_embedding.ts";
import { checkImageSides, checkUNetOptions } from "./checks.ts";

/** What it depends on besides its options; images may have any size that halves evenly. */
export type UNetShape = Pick<NetworkShape, "channels" | "outputs" | "timesteps">;

/** One resolution on the way down; the coarsest keeps its resolution. */
export class DownLevel extends Module {
  constructor(readonly blocks: ResidualBlock[], readonly downsample: Downsample | undefined) {
    super();
  }
}

/** One resolution on the way up; the finest keeps its resolution. */
export class UpLevel extends Module {
  constructor(readonly blocks: ResidualBlock[], readonly upsample: Upsample | undefined) {
    super();
  }
}

/** From the last features to the prediction. */
export class Tail extends Module {
  constructor(readonly norm: GroupNorm, readonly conv: Conv2d) {
    super();
  }
}

/** The network. Levels are counted from the finest on both ways: `down[1]` feeds `up[1]`. */
export class UNet extends Module implements Network {
  readonly conditioning: Conditioning;
  /**
   * From timesteps to what every block adds.
   *
   * @internal
   */
  readonly timeEmbedding: TimeEmbedding;
  /**
   * From the image to the finest level.
   *
   * @internal
   */
  readonly head: Conv2d;
  /**
   * The way down, finest first.
   *
   * @internal
   */
  readonly down: DownLevel[];
  /**
   * Blocks at the coarsest level, between the two ways.
   *
   * @internal
   */
  readonly middle: ResidualBlock[];
  /**
   * The way up, by level as `down`.
   *
   * @internal
   */
  readonly up: UpLevel[];
  /**
   * From the finest level to the prediction.
   *
   * @internal
   */
  readonly tail: Tail;
  /**
   * From classes to what is added to the embedding of time, if it is told of any. Last, so that other
   * weights start the same without.
   *
   * @internal
   */
  readonly classEmbedding: ClassEmbedding | undefined;

  /**
   * Builds the network; its weights are made apart.
   *
   * @throws {RangeError} When an option breaks its rule; the message says what works.
   */
  constructor(readonly options: UNetOptions, readonly shape: UNetShape) {
    super();
    checkUNetOptions(options);
    const { channels, channelMultipliers, attentionLevels, blocks, dropout, groups } = options;
    const timeChannels = 4 * channels;
    const last = channelMultipliers.length - 1;
    const block = (inputs: number, outputs: number, attention: boolean) =>
      new ResidualBlock({ inputs, outputs, timeChannels, groups, dropout, attention });

    this.timeEmbedding = new TimeEmbedding(shape.timesteps, channels, timeChannels);
    this.head = new Conv2d(shape.channels, channels, { kernel: 3 });
    let width = channels;
    const skips = [width];
    this.down = channelMultipliers.map((multiplier, level) => {
      const attention = attentionLevels.includes(level);
      const list = Array.from({ length: blocks }, () => {
        const made = block(width, multiplier * channels, attention);
        skips.push(width = multiplier * channels);
        return made;
      });
      if (level < last) skips.push(width);
      return new DownLevel(list, level < last ? new Downsample(width) : undefined);
    });
    this.middle = [block(width, width, true), block(width, width, false)];
    this.up = channelMultipliers.toReversed().map((multiplier, i) => {
      const level = last - i;
      const attention = attentionLevels.includes(level);
      const list = Array.from({ length: blocks + 1 }, () => {
        const made = block(width + (skips.pop() ?? 0), multiplier * channels, attention);
        width = multiplier * channels;
        return made;
      });
      return new UpLevel(list, level > 0 ? new Upsample(width) : undefined);
    }).reverse();
    this.tail = new Tail(
      new GroupNorm(width, groups),
      new Conv2d(width, shape.outputs ?? shape.channels, { kernel: 3, gain: NEARLY_ZERO_GAIN }),
    );
    const { classes, labelDropout } = options;
    this.classEmbedding = classes > 0
      ? new ClassEmbedding({ classes, labelDropout }, timeChannels)
      : undefined;
    this.conditioning = classConditioning({ classes, labelDropout });
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, { x, level: timesteps, labels }: NetworkInputs): Tensor {
    this.#checkInputs(x, levelTensor(graph, timesteps));
    const embedded = withClass(
      this.timeEmbedding.forward(graph, timesteps),
      this.classEmbedding,
      labels,
    );
    // Every block begins its projection of the embedding with the same SiLU.
    const embedding = silu(embedded);
    const time = projectTime(embedding, [
      ...this.down.flatMap(({ blocks }) => blocks),
      ...this.middle,
      ...this.up.flatMap(({ blocks }) => blocks),
    ]);
    let h = this.head.forward(x);
    const skips = [h];
    for (const { blocks, downsample } of this.down) {
      for (const block of blocks) skips.push(h = block.forward(h, time(block)));
      if (downsample) skips.push(h = downsample.forward(h));
    }
    for (const block of this.middle) h = block.forward(h, time(block));
    for (const { blocks, upsample } of this.up.toReversed()) {
      for (const block of blocks) h = block.forward(h, time(block), skips.pop());
      if (upsample) h = upsample.forward(h);
    }
    return this.tail.conv.forward(this.tail.norm.forward(h, { silu: true }));
  }

  #checkInputs(x: Tensor, { ref: timesteps }: Tensor): void {
    const [n, height = 0, width = 0, channels] = x.shape;
    if (x.shape.length !== 4 || channels !== this.shape.channels) {
      throw new RangeError(
        `Cannot run the U-Net: images must have shape [N, H, W, ${this.shape.channels}], got ${
          formatShape(x.shape)
        }`,
      );
    }
    if (timesteps.shape.length !== 1 || timesteps.shape[0] !== n) {
      throw new RangeError(
        `Cannot run the U-Net: levels must have shape [${n}], got ${timesteps.dtype} of shape ${
          formatShape(timesteps.shape)
        }`,
      );
    }
    checkImageSides(height, width, this.down.length);
  }
}
