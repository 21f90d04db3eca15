/**
 * A process that differs by frequency on the GPU: images are transformed, combined with the coefficients of
 * their bands and transformed back. What is alike at all frequencies, as the noise as a target, is not
 * transformed.
 *
 * @module
 */
import { bandedCombine } from "../autograd/ops/banded_combine.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { broadcast } from "../kernels/elementwise/broadcast.ts";
import { transformed } from "../kernels/fft/band_transform.ts";
import {
  bandedClean,
  bandedCombination,
  bandedStep,
  type BandIndex,
  clippedPrediction,
  stacked,
} from "../kernels/process/banded.ts";
import type { SamplerTensors } from "../kernels/process/sampler_step.ts";
import { definePointwise } from "../kernels/shared/pointwise.ts";
import { type ProcessOnGpu, type SharedTerm, tablesOnGpu } from "./level_tables.ts";
import type { Process } from "./process_on.ts";

const plus = definePointwise({ name: "plusMean", inputs: ["x", "mean"], result: "x + mean" });

/** Its tables on the GPU. */
export function bandedOnGpu(gpu: Gpu, process: Process): ProcessOnGpu {
  const { schedule, banded } = process;
  const { bands: { transform, index: points, count, radii }, processes, start, startMean } =
    banded!;
  const plain = tablesOnGpu(gpu, process);
  const index = gpu.tensor([points.length], { dtype: "u32", data: points, label: "bands" });
  const bands: BandIndex = { index, count };
  const side = (of: (own: Process) => Float64Array) => {
    const lists = processes.map(of);
    return Float64Array.from(
      { length: schedule.timesteps * count },
      (_, at) => lists[at % count]![Math.floor(at / count)]!,
    );
  };
  const signal = side((own) => own.schedule.sqrtAlphasCumprod);
  const noise = side((own) => own.schedule.sqrtOneMinusAlphasCumprod);
  const to = (capture: Capture, x: TensorRef) => transformed(capture, x, transform, false);
  const back = (capture: Capture, x: TensorRef) => transformed(capture, x, transform, true);
  const combined = (capture: Capture, rows: TensorRef, terms: readonly SharedTerm[]) => {
    const own = terms.map(({ share, x }) => ({ table: plain.upload(share), x: to(capture, x) }));
    return back(capture, bandedCombination(capture, rows, own, bands));
  };
  const used = (share: Float64Array) => share.some((value) => value !== 0);
  const isOne = (share: Float64Array) => share.every((value) => value === 1);
  return {
    ...plain,
    bands: count,
    noised: (capture, x0, e, rows) =>
      combined(capture, rows, [{ share: signal, x: x0 }, { share: noise, x: e }]),
    combine(capture, rows, terms) {
      const left = terms.filter(({ share }) => used(share)), [only] = left;
      if (left.length === 1 && isOne(only!.share)) return only!.x;
      return combined(capture, rows, left);
    },
    combineTensors(rows, terms) {
      const [only] = terms;
      if (terms.length === 1 && isOne(only!.share)) return only!.x;
      const own = terms.map(({ share, x }) => ({ table: plain.upload(share), x }));
      return bandedCombine(rows, own, { transform, bands });
    },
    start(capture, white) {
      const [samples = 1, , , channels = 1] = white.shape;
      const rows = capture.constant([samples], new Uint32Array(samples), "the only row");
      const noisy = combined(capture, rows, [{ share: start, x: white }]);
      if (!startMean) return noisy;
      const left = radii[0] === 0 ? processes[0]!.schedule.levels.at(-1)!.signal : 0;
      const values = Float32Array.from(
        { length: channels },
        (_, c) => left * (startMean[c % startMean.length] ?? 0),
      );
      const mean = capture.constant([channels], values, "mean of the images");
      return broadcast(capture, plus, { x: noisy, mean }, {});
    },
    step: (capture, tensors, scalars) => step(capture, tensors, { scalars, bands, to, back }),
    destroy() {
      plain.destroy();
      gpu.destroyTensor(index);
    },
  };
}

interface StepParts {
  readonly scalars: TensorRef;
  readonly bands: BandIndex;
  to(capture: Capture, x: TensorRef): TensorRef;
  back(capture: Capture, x: TensorRef): TensorRef;
}

/** One update of a sampler. Images are pixels but for those that are kept, which are transforms. */
function step(
  capture: Capture,
  { x, f, z, predicted, kept, limits, unguided }: SamplerTensors,
  { scalars, bands, to, back }: StepParts,
): TensorRef {
  if (limits || unguided) {
    throw new RangeError(
      `Cannot take a sampling step by frequency: ${
        limits ? "dynamic thresholding" : "CFG++"
      } must have a process that is alike at all frequencies`,
    );
  }
  const known = to(capture, stacked(capture, [x, f, z, predicted ?? x]));
  const own = { scalars, bands };
  const clean = bandedClean(capture, { known }, own);
  const pixels = clippedPrediction(capture, back(capture, clean), scalars);
  const clipped = to(capture, pixels);
  if (predicted) copyInto(capture, predicted, pixels);
  return back(
    capture,
    bandedStep(capture, { known, clean, clipped, ...kept && predicted && { kept } }, own),
  );
}
