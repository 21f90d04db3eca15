/**
 * How many bits a value a model needs for images, at most: the variational bound summed over all
 * timesteps, with noise drawn once for each (Nichol and Dhariwal 2021, arXiv 2102.09672, section 3).
 *
 * @module
 */
import { Graph } from "../autograd/graph.ts";
import type { ImageSet } from "../data/dataset.ts";
import type { Arena } from "../device/arena.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { predictorOf } from "../diffusion/denoiser.ts";
import { isLearned } from "../diffusion/posterior.ts";
import type { Process } from "../diffusion/process.ts";
import { trainingNoise } from "../diffusion/training_noise.ts";
import { noiseOptions } from "../diffusion/noises/registry.ts";
import { boundInBits, boundRows, priorBits } from "../diffusion/variational_bound.ts";
import { clipForward } from "../kernels/elementwise/clip.ts";
import { splitLast } from "../kernels/layout/concat.ts";
import { boundTable } from "../kernels/process/variational_bound.ts";
import type { Network } from "../model/network.ts";
import { parameterSlots } from "../model/parameters.ts";
import { seedKey } from "../support/philox.ts";
import { orderedBatches } from "./batch_source.ts";
import { pauseForSignals } from "./stop_signals.ts";

/** What is measured. */
export interface MeasuredModel {
  readonly network: Network;
  /** The network's weights. */
  readonly weights: Arena;
  /** What it was trained for. */
  readonly process: Process;
  /** Least variance at timestep 0 of a learned range; see {@linkcode boundRows}. */
  readonly floor: number | null;
}

/** How it is measured. */
export interface BitsOptions {
  readonly images: ImageSet;
  /** Images computed at once. */
  readonly batch: number;
  readonly seed: number;
  /** Stops it between two evaluations. */
  readonly signal?: AbortSignal;
}

/** Bits a value, means over images. */
export interface Bits {
  /** Of everything. */
  readonly total: number;
  /** Of the last level. */
  readonly prior: number;
  /** Of each timestep, `[T]`. */
  readonly terms: Float64Array<ArrayBuffer>;
}

/**
 * Measures a model.
 *
 * @throws {DOMException} When it is stopped.
 */
export async function bitsPerDimension(
  gpu: Gpu,
  model: MeasuredModel,
  { images, batch, seed, signal }: BitsOptions,
): Promise<Bits> {
  const { network, process: { schedule } } = model;
  const { count } = images, size = Math.min(batch, count);
  const batches = orderedBatches(gpu, images, size, network.conditioning);
  const data = boundTable(boundRows(schedule, model.process.variance, model.floor));
  const table = gpu.tensor([data.length], { data, label: "variational bound" });
  const onGpu = model.process.onGpu(gpu);
  const capture = new Capture(gpu, "bits per dimension");
  const { x0, bits } = recordBits(capture, model, { batches, table, onGpu, size });
  capture.keep(bits);
  capture.keep(x0);
  const program = await capture.plan();
  const terms = new Float64Array(schedule.timesteps);
  let prior = 0;
  try {
    for (let first = 0; first < count; first += size) {
      // What fills up the last batch is left out.
      const found = Math.min(size, count - first);
      for (let t = 0; t < schedule.timesteps; t++) {
        signal?.throwIfAborted();
        program.run({
          ...batches.inputs(first / size),
          timesteps: new Uint32Array(size).fill(t),
          key: [...seedKey(seed), t, first],
        });
        const values = await program.readF32(bits);
        for (let i = 0; i < found; i++) terms[t]! += values[i]! / count;
        await pauseForSignals();
      }
      const values = await program.readF32(x0);
      const kept = values.subarray(0, values.length / size * found);
      prior += priorBits(schedule, kept) * found / count;
    }
  } finally {
    program.destroy();
    batches.destroy();
    onGpu.destroy();
    gpu.destroyTensor(table);
  }
  return { total: prior + terms.reduce((sum, term) => sum + term, 0), prior, terms };
}

/** Records the terms of a batch, `[n]`. */
function recordBits(
  capture: Capture,
  { network, weights, process }: MeasuredModel,
  { batches, table, onGpu, size }: {
    readonly batches: ReturnType<typeof orderedBatches>;
    readonly table: ReturnType<Gpu["tensor"]>;
    readonly onGpu: ReturnType<Process["onGpu"]>;
    readonly size: number;
  },
) {
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
  const { x0, ...conditions } = batches.record(capture);
  const timesteps = capture.input("timesteps", [size], "u32");
  const key = capture.input("key", [4], "u32");
  const { noise } = trainingNoise(capture, key, x0, process.drawNoise, noiseOptions());
  const xt = onGpu.noised(capture, x0, noise, timesteps);
  const learned = isLearned(process.variance), channels = x0.shape.at(-1)!;
  const output = predictorOf(network, learned).denoise(graph, {
    ...onGpu.inputs(graph, xt, timesteps),
    ...conditions,
  }).ref;
  const parts = learned ? splitLast(capture, output, channels, { a: {}, b: {} }) : null;
  const prediction = parts?.a ?? output;
  // A fixed variance multiplies what is here by 0.
  const v = parts?.b ?? x0;
  const implied = onGpu.combine(capture, timesteps, [
    { share: process.tables.toX0.xt, x: xt },
    { share: process.tables.toX0.output, x: prediction },
  ]);
  const clean = process.clipX0 ? clipForward(capture, implied, 1) : implied;
  const bits = boundInBits(graph.constant(v), { x0, clean, timesteps, table }, 1).ref;
  return { x0, bits };
}
