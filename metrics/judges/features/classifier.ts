/**
 * A small convolutional classifier whose last hidden layer serves as features. It is trained on the
 * data set at hand, so judging needs no download; its distances compare runs on that data set with
 * one another and with nothing else.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { mean } from "../../../autograd/ops/reduce.ts";
import { Conv2d, GroupNorm, Linear } from "../../../model/layers.ts";
import { Module } from "../../../model/module.ts";

/** Width of the first level, of the last ones, and channels of a group. */
const FIRST_WIDTH = 32, LAST_WIDTH = 128, GROUP = 8;
/** Halving stops at this side. */
const LAST_SIDE = 4;

/** The images and classes of a classifier. */
export interface ClassifierShape {
  /** Sides of the images in pixels. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classes: number;
}

class Level extends Module {
  readonly conv: Conv2d;
  readonly norm: GroupNorm;

  constructor(inputs: number, outputs: number, stride: number) {
    super();
    this.conv = new Conv2d(inputs, outputs, { kernel: 3, stride });
    this.norm = new GroupNorm(outputs, outputs / GROUP);
  }

  forward(x: Tensor): Tensor {
    return this.norm.forward(this.conv.forward(x), { silu: true });
  }
}

/** 3x3 convolutions with group normalisation and SiLU, halving to 4 pixels, a mean and a linear layer. */
export class Classifier extends Module {
  readonly levels: readonly Level[];
  readonly head: Linear;

  constructor(readonly shape: ClassifierShape) {
    super();
    const levels = [new Level(shape.channels, FIRST_WIDTH, 1)];
    let width = FIRST_WIDTH;
    const shorter = Math.min(shape.height, shape.width);
    for (let side = shorter; side > LAST_SIDE; side = Math.ceil(side / 2)) {
      const next = Math.min(LAST_WIDTH, 2 * width);
      levels.push(new Level(width, next, 2));
      width = next;
    }
    this.levels = levels;
    this.head = new Linear(width, shape.classes);
  }

  /** Length of a feature vector. */
  get dimension(): number {
    return this.head.inputs;
  }

  /**
   * Records a forward pass.
   *
   * @param x Images `[N, height, width, channels]` in [-1, 1].
   * @returns Features `[N, dimension]` and class scores `[N, classes]` before the softmax.
   */
  forward(x: Tensor): { features: Tensor; scores: Tensor } {
    const last = this.levels.reduce((h, level) => level.forward(h), x);
    const features = mean(last, { axes: [1, 2] });
    return { features, scores: this.head.forward(features) };
  }
}
