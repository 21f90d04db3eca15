/**
 * Losses by frequency band and timestep: where in the spectrum, and at which noise, a network errs.
 * The error of the prediction is transformed in every step, on the GPU; its power is averaged over
 * octaves of |k| and gathered by bins of timesteps, and read once a line of the log.
 *
 * Whatever the network's output is, its error in x_0 and in the noise e are multiples of it, as x_t
 * is known to both: with x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e
 *
 *     e' - e = c_t (f - target),    x_0' - x_0 = -sqrt((1 - A_t) / A_t) (e' - e)
 *
 * so one transform serves both losses. It is orthonormal: a network that predicts zeros has a loss of
 * 1 in e in every band, and the mean over all points of the plane is the mean square in pixels.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { octaves } from "../../diffusion/frequency.ts";
import type { ProcessOnGpu, ProcessTables } from "../../diffusion/level_tables.ts";
import type { Process } from "../../diffusion/process.ts";
import { addBinnedMoments, MOMENT_PARTS } from "../../kernels/reduce/binned_moments.ts";
import { fourierTransform } from "../../kernels/fft/fft2.ts";
import { ringPowers } from "../../kernels/fft/ring_powers.ts";
import { createRings, destroyRings, type Rings } from "../../kernels/fft/rings.ts";
import { linearCombination } from "../../kernels/process/q_sample.ts";
import { rounded } from "../numerics/rounded.ts";

/** What the instrument is made for. */
export interface BandLossOptions {
  readonly process: Process;
  /** Sides of the images. */
  readonly height: number;
  readonly width: number;
  /** Bins of timesteps, 1 to T. */
  readonly timestepBins: number;
  /** Steps between two lines. */
  readonly everySteps: number;
}

/** What a training step shows. */
export interface BandLossTensors {
  readonly graph: { readonly capture: Capture };
  /** u32 `[n]` */
  readonly timesteps: TensorRef;
  /** What the network should have said, `[n, h, w, c]`. */
  readonly target: TensorRef;
  /** What it said. */
  readonly prediction: { readonly ref: TensorRef };
}

/** A matrix `[bins, bands]`; null where nothing was measured. */
export type BandMatrix = (number | null)[][];

/** A line of the log. */
export type BandLossEvent = {
  readonly event: "bandLoss";
  /** First timestep of each bin, and T. */
  readonly timesteps: number[];
  /** Lower bound of |k| of each band, in cycles along the shorter side: 0, 1, 2, 4, ... */
  readonly bands: number[];
  /** Samples in each bin since the last line. */
  readonly counts: number[];
  /** Mean loss in the noise, and its standard error. */
  readonly epsilon: BandMatrix;
  readonly epsilonError: BandMatrix;
  /** Mean loss in the clean image, and its standard error. */
  readonly x0: BandMatrix;
  readonly x0Error: BandMatrix;
};

const negated = (values: Float64Array) => values.map((value) => -value);

/** The instrument: an observer of training. */
export class BandLoss {
  readonly everySteps: number;
  readonly atEnd = true;
  /** What it has gathered since the last line, by name: a resumed run goes on from it. */
  readonly state: ReadonlyMap<string, TensorRef>;
  readonly #timesteps: number;
  readonly #bins: number;
  readonly #rings: Rings;
  readonly #epsilon: TensorRef;
  readonly #x0: TensorRef;
  /** Shares of the output and of the target in the noise, and what turns its square into x_0's. */
  readonly #output: TensorRef;
  readonly #target: TensorRef;
  readonly #toX0: TensorRef;
  /** What errors are formed with where they differ by frequency. */
  readonly #banded: { readonly onGpu: ProcessOnGpu; readonly tables: ProcessTables } | null;

  /** @throws {RangeError} When there are more bins than timesteps, or none. */
  constructor(private readonly gpu: Gpu, options: BandLossOptions) {
    const { process, height, width, timestepBins: bins } = options;
    const { timesteps, levels } = process.schedule;
    if (!Number.isInteger(bins) || bins < 1 || bins > timesteps) {
      throw new RangeError(
        `Cannot measure losses by timestep: bins must be a whole number from 1 to ${timesteps}, got ${bins}`,
      );
    }
    this.everySteps = options.everySteps;
    this.#timesteps = timesteps;
    this.#bins = bins;
    const { index, count } = octaves(height, width);
    this.#rings = createRings(gpu, index, count);
    const table = (values: Float64Array, label: string) =>
      gpu.tensor([timesteps], { data: Float32Array.from(values), label });
    const { tables } = process;
    this.#banded = process.banded ? { onGpu: process.onGpu(gpu), tables } : null;
    // Of bands' tables nothing is read but by the process itself.
    const output = tables.toNoise.output.subarray(0, timesteps);
    this.#output = table(output, "share of output in noise");
    this.#target = table(output.map((value) => -value), "share of target in noise");
    this.#toX0 = table(
      Float64Array.from(levels, ({ signalPower, noisePower }) => noisePower / signalPower),
      "noise to x0",
    );
    const shape = [bins, count, MOMENT_PARTS];
    this.#epsilon = gpu.tensor(shape, { label: "epsilon loss by band" });
    this.#x0 = gpu.tensor(shape, { label: "x0 loss by band" });
    this.state = new Map([["log/bandLoss/epsilon", this.#epsilon], ["log/bandLoss/x0", this.#x0]]);
  }

  /** Records the measurement of a step. */
  capture({ graph: { capture }, timesteps, target, prediction }: BandLossTensors): void {
    const powers = (error: TensorRef) => {
      const [, height = 1, width = 1] = error.shape;
      const scale = 1 / Math.sqrt(height * width);
      const z = fourierTransform(capture, error, { inverse: false, scale });
      return ringPowers(capture, z, this.#rings);
    };
    if (this.#banded) {
      const { onGpu, tables } = this.#banded;
      for (
        const [moments, { output }] of [[this.#epsilon, tables.toNoise], [
          this.#x0,
          tables.toX0,
        ]] as const
      ) {
        const error = onGpu.combine(capture, timesteps, [
          { share: output, x: prediction.ref },
          { share: negated(output), x: target },
        ]);
        addBinnedMoments(capture, moments, { timesteps, values: powers(error) }, this.#timesteps);
      }
      return;
    }
    const error = linearCombination(capture, timesteps, [
      { table: this.#output, x: prediction.ref },
      { table: this.#target, x: target },
    ]);
    const values = powers(error);
    addBinnedMoments(capture, this.#epsilon, { timesteps, values }, this.#timesteps);
    const scaled = { timesteps, values, factors: this.#toX0 };
    addBinnedMoments(capture, this.#x0, scaled, this.#timesteps);
  }

  /** Moments of the images of several processes as those of all. */
  merge(parts: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer> {
    return mergeMoments(parts);
  }

  /** The losses since the last line; begins anew. */
  async read(): Promise<BandLossEvent> {
    const epsilon = this.#matrices(await this.gpu.readF32(this.#epsilon));
    const x0 = this.#matrices(await this.gpu.readF32(this.#x0));
    for (const tensor of [this.#epsilon, this.#x0]) {
      this.gpu.write(tensor, new Float32Array(this.#bins * this.#rings.count * MOMENT_PARTS));
    }
    const edges = Array.from(
      { length: this.#bins + 1 },
      (_, bin) => Math.ceil(bin * this.#timesteps / this.#bins),
    );
    return {
      event: "bandLoss",
      timesteps: edges,
      bands: Array.from({ length: this.#rings.count }, (_, band) => band && 2 ** (band - 1)),
      counts: epsilon.counts,
      epsilon: epsilon.means,
      epsilonError: epsilon.errors,
      x0: x0.means,
      x0Error: x0.errors,
    };
  }

  /** Frees its memory. */
  destroy(): void {
    destroyRings(this.gpu, this.#rings);
    this.#banded?.onGpu.destroy();
    for (const tensor of [this.#epsilon, this.#x0, this.#output, this.#target, this.#toX0]) {
      this.gpu.destroyTensor(tensor);
    }
  }

  #matrices(moments: Float32Array): { counts: number[]; means: BandMatrix; errors: BandMatrix } {
    const bands = this.#rings.count;
    const row = (bin: number, value: (at: number) => number | null) =>
      Array.from({ length: bands }, (_, band) => value(MOMENT_PARTS * (bin * bands + band)));
    const bins = Array.from({ length: this.#bins }, (_, bin) => bin);
    return {
      counts: bins.map((bin) => moments[MOMENT_PARTS * bin * bands]!),
      means: bins.map((bin) =>
        row(bin, (at) => moments[at]! > 0 ? rounded(moments[at + 1]!) : null)
      ),
      errors: bins.map((bin) =>
        row(bin, (at) => {
          const count = moments[at]!;
          return count > 1 ? rounded(Math.sqrt(moments[at + 2]! / (count - 1) / count)) : null;
        })
      ),
    };
  }
}

/**
 * Counts, means and sums of squared deviations of parts of what was measured, as of all of it (Chan,
 * Golub, LeVeque 1983).
 */
function mergeMoments(parts: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer> {
  const merged = Float64Array.from(parts[0] ?? []);
  for (const part of parts.slice(1)) {
    for (let at = 0; at < merged.length; at += MOMENT_PARTS) {
      const before = merged[at]!, count = part[at]!, all = before + count;
      if (count === 0) continue;
      const apart = part[at + 1]! - merged[at + 1]!;
      merged[at] = all;
      merged[at + 1]! += apart * count / all;
      merged[at + 2]! += part[at + 2]! + apart * apart * before * count / all;
    }
  }
  return Float32Array.from(merged);
}
