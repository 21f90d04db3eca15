/**
 * `KarrasUnet` of lucidrains' denoising-diffusion-pytorch: a U-Net that preserves magnitudes, after Karras
 * et al. 2024 (arXiv 2312.02696).
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { gaussian } from "../../init.ts";
import { levelNumbers } from "../../level_numbers.ts";
import { sumFactors } from "../../magnitudes.ts";
import { Module } from "../../module.ts";
import type { Conditioning, Network, NetworkInputs, NetworkShape } from "../../network.ts";
import { Block } from "./blocks.ts";
import { Gain, join, Rows, Weights } from "./layers.ts";
import type { LucidKarrasOptions } from "./options.ts";

/** The network. Training overwrites weights in passing, so no block is ever run twice. */
export class KarrasUNet extends Module implements Network {
  readonly conditioning: Conditioning;
  /** Of Fourier features of the noise level, in turns; they are not learned. */
  readonly frequencies: Parameter;
  readonly level: Weights;
  readonly labels: Rows | undefined;
  readonly head: Weights;
  readonly down: Block[] = [];
  readonly middle: Block[];
  /** Coarsest first. */
  readonly up: Block[] = [];
  readonly tail: Weights;
  readonly gain: Gain;

  constructor(readonly options: LucidKarrasOptions, readonly shape: NetworkShape) {
    super();
    const { channels, mostChannels, halvings, blocks, attentionSizes, classes } = options;
    this.conditioning = { labels: classes };
    this.frequencies = new Parameter([options.fourierChannels / 2], gaussian(1), false);
    this.level = new Weights(options.fourierChannels, 4 * channels);
    this.labels = classes > 0 ? new Rows(classes, 4 * channels) : undefined;
    this.head = new Weights(shape.channels * (options.selfCondition ? 2 : 1), channels, 3, 1);
    const block = (
      inputs: number,
      outputs: number,
      more: { down?: boolean; resamples?: boolean; attention: boolean },
    ) => new Block(options, { inputs, outputs, down: false, resamples: false, ...more });
    let width = channels, side = shape.height;
    // Made from the finest resolution on: the way up is the last first.
    const up = [block(2 * width, width, { attention: false })];
    for (let i = 0; i < blocks; i++) {
      this.down.push(block(width, width, { down: true, attention: false }));
      up.push(block(2 * width, width, { attention: false }));
    }
    for (let halving = 0; halving < halvings; halving++) {
      const next = Math.min(mostChannels, 2 * width);
      up.push(block(next, width, { resamples: true, attention: attentionSizes.includes(side) }));
      side = Math.floor(side / 2);
      const attention = attentionSizes.includes(side);
      this.down.push(block(width, next, { down: true, resamples: true, attention }));
      up.push(block(2 * next, next, { attention }));
      for (let i = 0; i < blocks; i++) {
        this.down.push(block(next, next, { down: true, attention }));
        up.push(block(2 * next, next, { attention }));
      }
      width = next;
    }
    const attention = attentionSizes.includes(side);
    this.middle = [0, 1].map(() => block(width, width, { attention }));
    this.up.push(...up.reverse());
    this.tail = new Weights(channels, shape.outputs ?? shape.channels, 3);
    this.gain = new Gain();
  }

  /** See {@linkcode Network.forward}. */
  forward(graph: Graph, inputs: NetworkInputs): Tensor {
    const embedding = this.#embedding(graph, inputs);
    let h = this.head.forward(this.#input(graph, inputs));
    const skips = [h];
    for (const block of this.down) skips.push(h = block.forward(h, embedding));
    for (const block of this.middle) h = block.forward(h, embedding);
    for (const block of this.up) {
      const skip = block.options.resamples ? undefined : skips.pop();
      h = block.forward(skip ? join(h, skip, this.options.skipShare) : h, embedding);
    }
    return this.gain.forward(this.tail.forward(h));
  }

  /** SiLU of levels and classes, `[N, 4 * channels]`. */
  #embedding(graph: Graph, { level, labels }: NetworkInputs): Tensor {
    const numbers = levelNumbers(graph, level, this.shape.timesteps);
    const waves = fourierFeatures(numbers, graph.parameter(this.frequencies));
    if (!this.labels) return silu(this.level.forward(waves, Math.SQRT2));
    if (!labels) throw new RangeError("Cannot run the U-Net: it must be given labels, got none");
    const { classes, classShare } = this.options;
    const [ofLevel, ofClass] = sumFactors(classShare);
    // Classes come as vectors of zeros and a one, with a mean square of 1.
    const told = this.labels.forward(graph.constant(labels), ofClass * Math.sqrt(classes));
    return silu(add(this.level.forward(waves, ofLevel * Math.SQRT2), told));
  }

  /** The noisy image behind a channel of ones, and behind the image predicted before if asked for. */
  #input(graph: Graph, { x, selfCondition }: NetworkInputs): Tensor {
    const constant = (shape: readonly number[], value: number, label: string) => {
      const size = shape.reduce((product, n) => product * n, 1);
      return graph.constant(
        graph.capture.constant(shape, new Float32Array(size).fill(value), label),
      );
    };
    const before = selfCondition ?? constant(x.shape, 0, "no image");
    const images = this.options.selfCondition ? concat(before, x) : x;
    return concat(constant([...x.shape.slice(0, -1), 1], 1, "ones"), images);
  }
}
