/**
 * A process on the GPU: what training and instruments record by the level of each sample. Levels are
 * drawn as rows of the schedule, u32 `[n]`; shares are tables by row, uploaded when first used.
 *
 * Everything here goes through {@linkcode ProcessOnGpu}, so that a process whose shares differ by
 * frequency can combine in Fourier space without anybody else knowing.
 *
 * @module
 */
import type { Graph } from "../autograd/graph.ts";
import type { NetworkInputs } from "../autograd/network_inputs.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { gatherRowsForward } from "../kernels/layout/gather_rows.ts";
import { linearCombination, qSample } from "../kernels/process/q_sample.ts";
import { samplerStep, type SamplerTensors } from "../kernels/process/sampler_step.ts";
import type { Compared } from "./loss_quantity.ts";
import type { OutputShares, TargetShares } from "./parameterization.ts";
import type { Schedule } from "./schedule.ts";

/** Shares of every level that training draws, each [T]. */
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
  /** What the network is told; null where that is the row's number, u32. */
  readonly condition: Float64Array | null;
}

/** A tensor `[n, ...]` and its share of a combination, by row of the schedule. */
export interface SharedTerm {
  /** Its share, [T]. */
  readonly share: Float64Array;
  /** The tensor. */
  readonly x: TensorRef;
}

/** See the module. */
export interface ProcessOnGpu {
  /** Noisy images, signal x0 + noise e. */
  noised(capture: Capture, x0: TensorRef, e: TensorRef, rows: TensorRef): TensorRef;
  /** The sum of up to three terms; a single term of share 1 everywhere is that tensor itself. */
  combine(capture: Capture, rows: TensorRef, terms: readonly SharedTerm[]): TensorRef;
  /** A table on the GPU, f32 `[T]`. */
  upload(values: Float64Array): TensorRef;
  /** A number a sample, f32 `[n]`. */
  gather(capture: Capture, rows: TensorRef, values: Float64Array): TensorRef;
  /** One update of a sampler; `scalars` are those of kernels/process/sampler_step.ts. */
  step(capture: Capture, tensors: SamplerTensors, scalars: TensorRef): TensorRef;
  /** What the network is given for noisy images. */
  inputs(graph: Graph, xt: TensorRef, rows: TensorRef): NetworkInputs;
  /** Frees its tables. */
  destroy(): void;
}

/** The process with its shares as tables. */
export function tablesOnGpu(
  gpu: Gpu,
  { schedule, tables }: { readonly schedule: Schedule; readonly tables: ProcessTables },
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
    gather(capture, rows, values) {
      const table = reshape(upload(values), [values.length, 1]);
      return reshape(gatherRowsForward(capture, table, rows), rows.shape);
    },
    step: samplerStep,
    inputs(graph, xt, rows) {
      const { capture } = graph, { inputScale, condition } = tables;
      return {
        x: graph.constant(
          inputScale ? process.combine(capture, rows, [{ share: inputScale, x: xt }]) : xt,
        ),
        level: condition ? process.gather(capture, rows, condition) : rows,
      };
    },
    destroy: () => uploaded.forEach((tensor) => gpu.destroyTensor(tensor)),
  };
  return process;
}
