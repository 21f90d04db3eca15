/**
 * How a `UNet2DModel` is told of time: sinusoids of timesteps, Fourier features of the logarithm of
 * noise levels, or a table that is learned, and a small perceptron behind them.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { givenLevels, type LevelInput, levelTensor } from "../../../autograd/network_inputs.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { logOfLevels } from "../../../autograd/ops/levels.ts";
import { silu } from "../../../autograd/ops/silu.ts";
import { type Initializer, Parameter } from "../../../autograd/parameter.ts";
import { normals } from "../../init.ts";
import type { Linear } from "../../layers.ts";
import { Module } from "../../module.ts";
import { dense } from "./blocks.ts";

/** Slowest of the sinusoids, without a shift. */
const SLOWEST = 1 / 10000;

/** Choices of {@linkcode Sinusoids}. */
export interface SinusoidOptions {
  /** Timesteps that may be asked for as whole numbers: 0 to this, exclusive. */
  readonly timesteps: number;
  /** Width; even. */
  readonly channels: number;
  /** With 1, the slowest has a frequency of 1 / 10000 itself. */
  readonly shift: number;
  /** Whether cosines come before sines. */
  readonly cosinesFirst: boolean;
}

/** Angle that a timestep adds to each sinusoid, `[channels / 2]`. */
function frequencies({ channels, shift }: SinusoidOptions): number[] {
  const half = channels / 2;
  return Array.from({ length: half }, (_, i) => SLOWEST ** (i / (half - shift)));
}

/** `[timesteps, channels]`, row-major, computed in f64. */
export function sinusoids(options: SinusoidOptions): Float32Array<ArrayBuffer> {
  const { timesteps, channels, cosinesFirst } = options;
  const half = channels / 2;
  const table = new Float32Array(timesteps * channels);
  for (const [i, frequency] of frequencies(options).entries()) {
    for (let t = 0; t < timesteps; t++) {
      const row = t * channels + i;
      table[row + (cosinesFirst ? half : 0)] = Math.sin(t * frequency);
      table[row + (cosinesFirst ? 0 : half)] = Math.cos(t * frequency);
    }
  }
  return table;
}

/** Sinusoids of timesteps, of which whole ones are looked up. */
export class Sinusoids extends Module {
  constructor(readonly options: SinusoidOptions) {
    super();
  }

  /** `[N]` to `[N, channels]`. */
  forward(graph: Graph, level: LevelInput): Tensor {
    const { timesteps, channels, shift, cosinesFirst } = this.options;
    const name = `sinusoids ${timesteps}x${channels}, shift ${shift}, flipped ${cosinesFirst}`;
    const levels = levelTensor(graph, level);
    if (levels.ref.dtype === "u32") {
      const table = graph.capture.table(
        name,
        [timesteps, channels],
        () => sinusoids(this.options),
      );
      return gatherRows(graph.constant(table), levels);
    }
    const half = channels / 2;
    const turns = graph.capture.table(
      `frequencies of ${name}`,
      [half],
      () => Float32Array.from(frequencies(this.options), (f) => f / (2 * Math.PI)),
    );
    const both = fourierFeatures(levels, graph.constant(turns));
    return cosinesFirst ? concat(columns(both, half, half), columns(both, 0, half)) : both;
  }
}

/** Frequencies of Fourier features, drawn once; they are in units of a turn. */
const FOURIER_SCALE = 16;
const fourierInit: Initializer = (values, { normal }) => {
  for (let i = 0; i < values.length; i++) values[i] = FOURIER_SCALE * normal();
};

/** Sines, then cosines of the logarithm of noise levels at fixed random frequencies. */
export class LogFourier extends Module {
  readonly weight: Parameter;

  /** @param half Number of frequencies. */
  constructor(half: number) {
    super();
    this.weight = new Parameter([half], fourierInit, false);
  }

  /**
   * f32 `[N]` to `[N, 2 half]`.
   *
   * @throws {RangeError} For timesteps that are counted.
   */
  forward(graph: Graph, level: LevelInput): Tensor {
    return fourierFeatures(
      logOfLevels(graph, givenLevels(graph, level)),
      graph.parameter(this.weight),
    );
  }
}

/** A row for each timestep. */
export class LearnedTimes extends Module {
  readonly weight: Parameter;

  constructor(timesteps: number, channels: number) {
    super();
    this.weight = new Parameter([timesteps, channels], normals);
  }

  /** u32 `[N]` to `[N, channels]`. */
  forward(graph: Graph, level: LevelInput): Tensor {
    return gatherRows(graph.parameter(this.weight), levelTensor(graph, level));
  }
}

/** From one of these to what blocks project. */
export class TimePerceptron extends Module {
  readonly linear1: Linear;
  readonly linear2: Linear;

  constructor(inputs: number, outputs: number) {
    super();
    this.linear1 = dense(inputs, outputs);
    this.linear2 = dense(outputs, outputs);
  }

  /** `[N, inputs]` to `[N, outputs]`. */
  forward(x: Tensor): Tensor {
    return this.linear2.forward(silu(this.linear1.forward(x)));
  }
}
