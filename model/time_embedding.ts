/**
 * How a network is told the timestep: a table of sinusoids (Vaswani et al. 2017, section 3.5), then a
 * small perceptron.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { type LevelInput, levelTensor } from "../autograd/network_inputs.ts";
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { silu } from "../autograd/ops/silu.ts";
import { sinusoids } from "../autograd/ops/sinusoids.ts";
import type { TensorRef } from "../device/tensor.ts";
import { type LayerInit, xavierInit } from "./init.ts";
import { Linear } from "./layers.ts";
import { Module } from "./module.ts";

/**
 * `[timesteps, channels]`, row-major: row t is `sin(t w_0), cos(t w_0), sin(t w_1), ...` with
 * `w_i = 10000^(-2 i / (channels - 2 shift))`. Computed in f64 and cast once.
 *
 * @param timesteps Rows.
 * @param channels Columns; even.
 * @param shift With 1, the last frequency is 1 / 10000 itself.
 */
export function sinusoidTable(
  timesteps: number,
  channels: number,
  shift = 0,
): Float32Array<ArrayBuffer> {
  const table = new Float32Array(timesteps * channels);
  for (let i = 0; i < channels / 2; i++) {
    const frequency = frequencyOf(i, channels, shift);
    for (let t = 0; t < timesteps; t++) {
      table[t * channels + 2 * i] = Math.sin(t * frequency);
      table[t * channels + 2 * i + 1] = Math.cos(t * frequency);
    }
  }
  return table;
}

/** w_i. */
function frequencyOf(i: number, channels: number, shift: number): number {
  return 10000 ** (-2 * i / (channels - 2 * shift));
}

/** Numbers of tables that were given: programs share what has one key. */
const given = new WeakMap<Float32Array, number>();
let tablesGiven = 0;

function keyOf(table: Float32Array): string {
  let number = given.get(table);
  if (number === undefined) given.set(table, number = ++tablesGiven);
  return `given time table ${number}`;
}

/** Timesteps, or levels between them, to vectors. */
export class TimeEmbedding extends Module {
  readonly first: Linear;
  readonly second: Linear;
  /**
   * Another table of the size of {@linkcode sinusoidTable}'s, such as PyTorch's: it computes angles in
   * f32, so an entry is up to 3e-5 off at a thousand timesteps.
   */
  table: Float32Array<ArrayBuffer> | undefined;

  /**
   * @param timesteps Timesteps that may be asked for: 0 to this, exclusive.
   * @param channels Width of the table; even.
   * @param outputs Size of the embedding.
   * @param shift See {@linkcode sinusoidTable}.
   * @param init How weights start, see {@linkcode Linear}.
   */
  constructor(
    readonly timesteps: number,
    readonly channels: number,
    readonly outputs: number,
    readonly shift = 0,
    init: LayerInit = xavierInit(),
  ) {
    super();
    this.first = new Linear(channels, outputs, init);
    this.second = new Linear(outputs, outputs, init);
  }

  /** Levels `[N]`, timesteps as u32 or any numbers as f32, to `[N, outputs]`. */
  forward(graph: Graph, level: LevelInput): Tensor {
    const shape = [this.timesteps, this.channels] as const;
    const { shift, table: given } = this, levels = levelTensor(graph, level);
    const name = `time table ${shape.join("x")}${shift === 0 ? "" : ` shifted by ${shift}`}`;
    const table = graph.capture.table(
      given ? keyOf(given) : name,
      shape,
      () => given ?? sinusoidTable(...shape, shift),
    );
    const rows = levels.ref.dtype === "u32"
      ? gatherRows(graph.constant(table), levels)
      : sinusoids(levels, table, this.#frequencies(graph));
    return this.second.forward(silu(this.first.forward(rows)));
  }

  #frequencies(graph: Graph): TensorRef {
    const { channels, shift } = this, count = channels / 2;
    return graph.capture.table(
      `time frequencies ${channels} shifted by ${shift}`,
      [count],
      () => Float32Array.from({ length: count }, (_, i) => frequencyOf(i, channels, shift)),
    );
  }
}
