/**
 * A U-Net of one resolution without an embedding of time: residual blocks, each joined on the way up
 * with its counterpart on the way down, and attention in the middle (zjuyzj/pytorch-ddpm).
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { AttentionBlock, NEARLY_ZERO_GAIN } from "../../blocks.ts";
import { Conv2d, GroupNorm } from "../../layers.ts";
import { Module } from "../../module.ts";

/** Choices of a {@linkcode FlatUNet}. */
export interface FlatUNetOptions {
  /** Channels of the images. */
  readonly channels: number;
  /** Channels inside. */
  readonly width: number;
  /** Residual blocks on the way down; one more on the way up. */
  readonly blocks: number;
  /** Groups of the normalisations; a divisor of `width`. */
  readonly groups: number;
  /** Probability that dropout zeroes an element. */
  readonly dropout: number;
}

/** Two convolutions and a shortcut past them, then attention if asked for. */
class Block extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;
  readonly shortcut: Conv2d | undefined;
  readonly attention: AttentionBlock | undefined;
  readonly dropout: number;

  constructor(inputs: number, { width, groups, dropout }: FlatUNetOptions, attention = false) {
    super();
    this.norm1 = new GroupNorm(inputs, groups);
    this.conv1 = new Conv2d(inputs, width, { kernel: 3 });
    this.norm2 = new GroupNorm(width, groups);
    this.conv2 = new Conv2d(width, width, { kernel: 3, gain: NEARLY_ZERO_GAIN });
    this.shortcut = inputs === width ? undefined : new Conv2d(inputs, width, { kernel: 1 });
    this.attention = attention ? new AttentionBlock(width, groups) : undefined;
    this.dropout = dropout;
  }

  forward(x: Tensor): Tensor {
    const sum = x.graph.checkpoint(() => {
      const residual = this.shortcut ? this.shortcut.forward(x) : x;
      const first = this.conv1.forward(this.norm1.forward(x, { silu: true }));
      const dropped = this.norm2.forward(first, { silu: true, dropout: this.dropout });
      return this.conv2.forward(dropped, { residual });
    });
    const { attention } = this;
    return attention ? x.graph.checkpoint(() => attention.forward(sum)) : sum;
  }
}

/** See the module. */
export class FlatUNet extends Module {
  readonly head: Conv2d;
  readonly down: Block[];
  readonly middle: Block[];
  readonly up: Block[];
  readonly norm: GroupNorm;
  readonly tail: Conv2d;

  constructor(options: FlatUNetOptions) {
    super();
    const { channels, width, blocks, groups } = options;
    this.head = new Conv2d(channels, width, { kernel: 3 });
    this.down = Array.from({ length: blocks }, () => new Block(width, options));
    this.middle = [new Block(width, options, true), new Block(width, options)];
    this.up = Array.from({ length: blocks + 1 }, () => new Block(2 * width, options));
    this.norm = new GroupNorm(width, groups);
    this.tail = new Conv2d(width, channels, { kernel: 3, gain: NEARLY_ZERO_GAIN });
  }

  /** Images `[N, H, W, channels]` to the same shape. */
  forward(x: Tensor): Tensor {
    let h = this.head.forward(x);
    const skips = [h];
    for (const block of this.down) skips.push(h = block.forward(h));
    for (const block of this.middle) h = block.forward(h);
    for (const block of this.up) h = block.forward(concat(h, skips.pop()!));
    return this.tail.forward(this.norm.forward(h, { silu: true }));
  }
}
