/**
 * A process on the GPU: what training and instruments record by the level of each sample. Levels are
 * drawn as rows of the schedule, u32 `[n]`; shares are tables by row, uploaded when first used.
 *
 * Everything here goes through {@linkcode ProcessOnGpu}, so that a process whose shares differ by
 * frequency can combine in Fourier space without anybody else knowing.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { combine, type CombinedTerm } from "../autograd/ops/combine.ts";
import type { NetworkInputs } from "../autograd/network_inputs.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { scaleForward } from "../kernels/elementwise/scale.ts";
import { gatherRowsForward } from "../kernels/layout/gather_rows.ts";
import { linearCombination, qSample } from "../kernels/process/q_sample.ts";
import { samplerStep, type SamplerTensors } from "../kernels/process/sampler_step.ts";
import type { Compared } from "./loss_quantity.ts";
import type { OutputShares, TargetShares } from "./parameterization.ts";
import type { Schedule } from "./schedule.ts";
import { forcedInput, type SpectralForcing } from "./spectral_forcing.ts";

/**
 * Shares of every level that training draws, each [T], or [T, B] in a process of B bands; `weight` is [T].
 */
export interface ProcessTables {
  /** What the network should output. */
  readonly target: TargetShares<Float64Array>;
  /** The clean image that its output implies. */
  readonly toX0: OutputShares<Float64Array>;
  /** The noise that its output implies. */
  readonly toNoise: OutputShares<Float64Array>;
  /** What the loss compares; null where that is the network's output. */
  readonly loss: Compared<Float64Array> | null;
  /** Factors of losses; null where all are 1. */
  readonly weight: Float64Array | null;
  /** Factors of what the network gets; null where all are 1. */
  readonly inputScale: Float64Array | null;
  /** Of networks of two outputs: shares of x_t and of their noise in the image, [2 T]; null for others. */
  readonly noiseBranch: Float64Array | null;
  /** What the network is told; null where that is the row's number, u32. */
  readonly condition: Float64Array | null;
  /** Up to where the network sees frequencies, as spectral_forcing.ts has it; null where it sees all. */
  readonly cutoff: Float64Array | null;
}

/** A tensor `[n, ...]` and its share of a combination, by row of the schedule. */
export interface SharedTerm {
  /** Its share, [T], or [T, B] in a process of B bands. */
  readonly share: Float64Array;
  /** The tensor. */
  readonly x: TensorRef;
}

/** The same of a tensor that gradients flow to. */
export interface SharedTensor {
  /** Its share, as that of a {@linkcode SharedTerm}. */
  readonly share: Float64Array;
  /** The tensor. */
  readonly x: Tensor;
}

/** See the module. */
export interface ProcessOnGpu {
  /** Bands whose coefficients a sampler's update has, one set after another; 1 where all are alike. */
  readonly bands: number;
  /** Noisy images, signal x0 + noise e. */
  noised(capture: Capture, x0: TensorRef, e: TensorRef, rows: TensorRef): TensorRef;
  /** The sum of up to three terms; a single term of share 1 everywhere is that tensor itself. */
  combine(capture: Capture, rows: TensorRef, terms: readonly SharedTerm[]): TensorRef;
  /** A table on the GPU, f32. */
  upload(values: Float64Array): TensorRef;
  /** As `combine`, with gradients. */
  combineTensors(rows: TensorRef, terms: readonly SharedTensor[]): Tensor;
  /** What sampling starts from, of white noise `[n, h, w, c]` of variance 1. */
  start(capture: Capture, noise: TensorRef): TensorRef;
  /** A number a sample, f32 `[n]`. */
  gather(capture: Capture, rows: TensorRef, values: Float64Array): TensorRef;
  /** One update of a sampler; `scalars` are those of kernels/process/sampler_step.ts. */
  step(capture: Capture, tensors: SamplerTensors, scalars: TensorRef): TensorRef;
  /** What the network is given for noisy images. */
  inputs(graph: Graph, xt: TensorRef, rows: TensorRef): NetworkInputs;
  /** Frees its tables. */
  destroy(): void;
}

/** What is put on the GPU. */
interface TabledProcess {
  readonly schedule: Schedule;
  readonly tables: ProcessTables;
  readonly forcing: SpectralForcing | null;
}

/** The process with its shares as tables. */
export function tablesOnGpu(
  gpu: Gpu,
  { schedule, tables, forcing }: TabledProcess,
): ProcessOnGpu {
  const uploaded = new Map<Float64Array, TensorRef>();
  const upload = (values: Float64Array) => {
    let tensor = uploaded.get(values);
    if (!tensor) {
      const data = Float32Array.from(values);
      uploaded.set(values, tensor = gpu.tensor([values.length], { data, label: "shares" }));
    }
    return tensor;
  };
  const process: ProcessOnGpu = {
    bands: 1,
    upload,
    noised: (capture, x0, e, rows) =>
      qSample(capture, x0, e, rows, {
        signal: upload(schedule.sqrtAlphasCumprod),
        noise: upload(schedule.sqrtOneMinusAlphasCumprod),
      }),
    combine(capture, rows, terms) {
      const used = terms.filter(({ share }) => share.some((value) => value !== 0));
      const [only] = used;
      if (used.length === 1 && only!.share.every((value) => value === 1)) return only!.x;
      const uploads = used.map(({ share, x }) => ({ table: upload(share), x }));
      return linearCombination(capture, rows, uploads);
    },
    combineTensors: (rows, terms) =>
      combine(rows, terms.map(({ share, x }): CombinedTerm => ({ table: upload(share), x }))),
    start(capture, noise) {
      const { start: deviation = 1 } = schedule;
      return deviation === 1 ? noise : scaleForward(capture, noise, deviation);
    },
    gather(capture, rows, values) {
      const table = reshape(upload(values), [values.length, 1]);
      return reshape(gatherRowsForward(capture, table, rows), rows.shape);
    },
    step: samplerStep,
    inputs(graph, xt, rows) {
      const { capture } = graph, { inputScale, condition, cutoff, noiseBranch: pairs } = tables;
      const scaled = inputScale
        ? process.combine(capture, rows, [{ share: inputScale, x: xt }])
        : xt;
      return {
        x: graph.constant(
          forcing && cutoff
            ? forcedInput(capture, scaled, process.gather(capture, rows, cutoff), forcing)
            : scaled,
        ),
        level: condition ? process.gather(capture, rows, condition) : rows,
        ...pairs && {
          noiseBranch: gatherRowsForward(
            capture,
            reshape(upload(pairs), [pairs.length / 2, 2]),
            rows,
          ),
        },
      };
    },
    destroy: () => uploaded.forEach((tensor) => gpu.destroyTensor(tensor)),
  };
  return process;
}
