/**
 * What the blocks are told: the noise level, and the class where there is one.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { type LevelInput, levelTensor } from "../../../autograd/network_inputs.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { gelu } from "../../../autograd/ops/gelu.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { gaussian } from "../../init.ts";
import { levelNumbers } from "../../level_numbers.ts";
import { Module } from "../../module.ts";
import { Dense } from "./layers.ts";
import type { LucidOptions } from "./options.ts";
import type { Style } from "./styles.ts";

/** Frequencies of sinusoids in radians for each timestep: from 1 to 1 / `longestPeriod`. */
export function sinusoidFrequencies(half: number, longestPeriod: number): number[] {
  return Array.from({ length: half }, (_, i) => longestPeriod ** (-i / Math.max(1, half - 1)));
}

/** Noise levels to vectors. */
export class LevelEmbedding extends Module {
  /** Of Fourier features, in turns for each timestep. */
  readonly frequencies: Parameter | undefined;
  readonly first: Dense;
  readonly second: Dense;

  /** @param timesteps Timesteps that may be asked for. */
  constructor(
    private readonly style: Style,
    private readonly options: LucidOptions,
    private readonly timesteps: number,
  ) {
    super();
    const { channels, timeFeatures, fourierChannels } = options;
    const fourier = timeFeatures !== "sinusoidal";
    this.frequencies = fourier
      ? new Parameter([fourierChannels / 2], gaussian(1), timeFeatures === "learned")
      : undefined;
    this.first = new Dense(style, fourier ? fourierChannels + 1 : channels, 4 * channels);
    this.second = new Dense(style, 4 * channels, 4 * channels);
  }

  /** Levels `[N]`, timesteps as u32 or others as f32, to `[N, 4 * channels]`. */
  forward(graph: Graph, level: LevelInput): Tensor {
    return perceptron(this.style, this, this.features(graph, level));
  }

  /** `[N]` to sines, then cosines; with Fourier features, the level before them. */
  features(graph: Graph, level: LevelInput): Tensor {
    if (this.frequencies) {
      const numbers = levelNumbers(graph, level, this.timesteps);
      const waves = fourierFeatures(numbers, graph.parameter(this.frequencies));
      return concat(reshape(numbers, [...numbers.shape, 1]), waves);
    }
    const { channels, longestPeriod } = this.options;
    const frequencies = sinusoidFrequencies(channels / 2, longestPeriod);
    const { capture } = graph, levels = levelTensor(graph, level);
    if (levels.ref.dtype !== "u32") {
      const turns = Float32Array.from(frequencies, (w) => w / (2 * Math.PI));
      const table = capture.constant([turns.length], turns, "frequencies");
      return fourierFeatures(levels, graph.constant(table));
    }
    const shape = [this.timesteps, channels];
    const table = capture.table(
      `sines and cosines ${shape.join("x")} of period ${longestPeriod}`,
      shape,
      () => {
        const rows = Array.from({ length: this.timesteps }, (_, t) => [
          ...frequencies.map((w) => Math.sin(t * w)),
          ...frequencies.map((w) => Math.cos(t * w)),
        ]);
        return Float32Array.from(rows.flat());
      },
    );
    return gatherRows(graph.constant(table), levels);
  }
}

/** Classes to vectors. */
export class ClassEmbedding extends Module {
  /** Stands for no class. */
  readonly none: Parameter;
  readonly table: Parameter;
  readonly first: Dense;
  readonly second: Dense;

  constructor(private readonly style: Style, private readonly options: LucidOptions) {
    super();
    const { channels, classes } = options;
    this.none = new Parameter([channels], gaussian(1));
    this.table = new Parameter([classes, channels], gaussian(1));
    this.first = new Dense(style, channels, 4 * channels);
    this.second = new Dense(style, 4 * channels, 4 * channels);
  }

  /** u32 `[N]` to `[N, 4 * channels]`; the number of classes stands for none. */
  forward(graph: Graph, labels: TensorRef): Tensor {
    const { channels, classes } = this.options;
    const table = reshape(graph.parameter(this.table), [1, classes * channels]);
    const none = reshape(graph.parameter(this.none), [1, channels]);
    const rows = reshape(concat(table, none), [classes + 1, channels]);
    return perceptron(this.style, this, gatherRows(rows, graph.constant(labels)));
  }
}

/** Two layers with GELU between them, in the form that each code base has. */
export function perceptron(
  style: Style,
  { first, second }: { readonly first: Dense; readonly second: Dense },
  x: Tensor,
): Tensor {
  const approximate = style.groups === undefined ? "none" : "tanh";
  return second.forward(gelu(first.forward(x), { approximate }));
}
