/**
 * The spectrum loss: the distance between spectra of what a step of the network makes and what it
 * should have made, for timesteps below tMax, a sample. With F the orthonormal transform, w the
 * weights of frequencies (their mean is 1), and y', y, c of spectral_forms.ts:
 *
 *     complex           mean_k w(k) |F(y' - y)(k)|^2 / c^2
 *     amplitude         mean_k w(k) (|F y'(k)| - |F y(k)|)^2 / c^2
 *     log1p-amplitude   mean_k w(k) (log(1 + |F y'(k)|) - log(1 + |F y(k)|))^2 / c^2
 *     radial-power      mean_r w(r) (log(1 + P'_r) - log(1 + P_r))^2 / c^2
 *
 * where P_r is the mean of |F y|^2 over the ring |k| = r (of width 1), and means run over channels,
 * too. The complex loss with w = 1 is the mean square in pixels (Parseval).
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { combine } from "../autograd/ops/combine.ts";
import { amplitude, fft2, log1pAmplitude, power } from "../autograd/ops/fft.ts";
import { log1p } from "../autograd/ops/log1p.ts";
import { mseLoss } from "../autograd/ops/losses.ts";
import { mul } from "../autograd/ops/mul.ts";
import { mean } from "../autograd/ops/reduce.ts";
import { ringMeans } from "../autograd/ops/ring_means.ts";
import type { Gpu } from "../device/gpu.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { createRings, destroyRings, type Rings } from "../kernels/fft/rings.ts";
import { gatherRowsForward } from "../kernels/layout/gather_rows.ts";
import { octaveOf, radialFrequencies, unitRings } from "./frequency.ts";
import type { DiffusionOptions } from "./options.ts";
import { PRINTED_REASON, type SpectralLossOptions } from "./spectral_loss_options.ts";
import type { Process } from "./process.ts";
import { type SpectralForm, spectralForms } from "./spectral_forms.ts";

/** Tensors of a training step that the loss is made from. */
export interface SpectralInputs {
  /** Clean images `[n, h, w, c]`. */
  readonly x0: TensorRef;
  /** Noise of the same shape. */
  readonly noise: TensorRef;
  /** u32 `[n]`. */
  readonly timesteps: TensorRef;
  /** The network's output, of the shape of the images. */
  readonly prediction: Tensor;
}

type TermTables = Readonly<Record<keyof SpectralForm, TensorRef | null>>;

/** Tables that depend on the size of images. */
interface PlaneTables {
  /** Weights of frequencies `[1, h, w, 1]`, or of rings `[1, R, 1]`. */
  readonly weights: TensorRef;
  readonly rings: Rings | null;
}

/**
 * Weights of frequencies by their |k|, scaled to mean 1. The mean colour, k = 0, has weight 0 in
 * |k|^p with p > 0, and that of |k| = 1 otherwise.
 *
 * @throws {RangeError} When all are zero, or one is negative or not finite.
 */
export function frequencyWeights(
  radii: ArrayLike<number>,
  { power, bands }: Pick<SpectralLossOptions, "power" | "bands">,
): Float64Array {
  const weights = Float64Array.from(radii, (radius) => {
    if (bands !== null) return bands[Math.min(octaveOf(radius), bands.length - 1)] ?? NaN;
    return radius === 0 ? (power > 0 ? 0 : 1) : radius ** power;
  });
  const total = weights.reduce((sum, value) => sum + value, 0);
  if (!(total > 0 && total < Infinity && weights.every((value) => value >= 0))) {
    throw new RangeError(
      `Cannot weight frequencies: weights must be finite, at least 0 and not all 0, got ${
        bands === null ? `power ${power}` : `bands [${bands.join(", ")}]`
      }`,
    );
  }
  return weights.map((value) => value * weights.length / total);
}

/** A spectrum loss with its tables on the GPU. */
export class SpectralLoss {
  readonly #options: SpectralLossOptions;
  /** y' and y, or the residual alone. */
  readonly #terms: readonly TermTables[];
  /** lambda 1[t < tMax], over c^2 where the residual is not divided by c already; `[T, 1]`. */
  readonly #weights: TensorRef;
  readonly #planes = new Map<string, PlaneTables>();
  readonly #owned: TensorRef[] = [];

  /**
   * @throws {RangeError} When lambda is negative, tMax is not a number from 1 to T, or the mode is
   *   "printed" without leave.
   */
  constructor(
    private readonly gpu: Gpu,
    process: Process,
    { spectralLoss: options, tMax }: Pick<DiffusionOptions, "spectralLoss" | "tMax">,
  ) {
    const { timesteps } = process.schedule;
    if (options.mode === "printed" && !options.allowPrinted) {
      throw new RangeError(
        `Cannot use the spectrum loss: mode must not be printed, as ${PRINTED_REASON}; ` +
          "spectralLoss.allowPrinted lets it pass for the record",
      );
    }
    if (!(options.lambda >= 0 && options.lambda < Infinity)) {
      throw new RangeError(
        `Cannot use the spectrum loss: lambda must be a number of at least 0, got ${options.lambda}`,
      );
    }
    if (tMax === "auto" || !Number.isInteger(tMax) || tMax < 1 || tMax > timesteps) {
      throw new RangeError(
        `Cannot use the spectrum loss: tMax must be a whole number from 1 to ${timesteps}, got ${tMax}`,
      );
    }
    this.#options = options;
    const forms = spectralForms(process, options.mode);
    const complex = options.spectrum === "complex";
    this.#terms = (complex ? [forms.residual] : [forms.prediction, forms.truth]).map((form) => ({
      x0: this.#table(form.x0, "spectral share of x0"),
      noise: this.#table(form.noise, "spectral share of noise"),
      output: form === forms.truth
        ? null
        : this.#upload(form.output, [timesteps], "spectral share of output"),
    }));
    const weights = forms.weight.map((value, t) =>
      t < tMax ? options.lambda * (complex ? 1 : value) : 0
    );
    this.#weights = this.#upload(weights, [timesteps, 1], "weights of the spectrum loss");
  }

  /**
   * Records the loss of a batch.
   *
   * @returns `[n]`, a loss a sample, lambda and the bound on t included.
   */
  record(graph: Graph, { x0, noise, timesteps, prediction }: SpectralInputs): Tensor {
    const [samples = 0, height = 0, width = 0] = x0.shape;
    const planes = this.#planesOf(height, width);
    const images = this.#terms.map((tables) =>
      combine(
        timesteps,
        [
          { table: tables.output, x: prediction },
          { table: tables.x0, x: graph.constant(x0) },
          { table: tables.noise, x: graph.constant(noise) },
        ].flatMap(({ table, x }) => table === null ? [] : [{ table, x }]),
      )
    );
    const [first, second] = images.map((image) => this.#spectrum(image, planes));
    const weights = graph.constant(planes.weights);
    // Complex weights multiply the square; others are roots that multiply both spectra.
    const distance = second === undefined
      ? mean(mul(first!, weights), { axes: [1, 2, 3] })
      : mseLoss(mul(first!, weights), mul(second, weights), { perSample: true });
    const factors = gatherRowsForward(graph.capture, this.#weights, timesteps);
    return mul(distance, graph.constant(reshape(factors, [samples])));
  }

  /** Frees the tables. */
  destroy(): void {
    for (const tensor of this.#owned) this.gpu.destroyTensor(tensor);
    for (const { rings } of this.#planes.values()) {
      if (rings) destroyRings(this.gpu, rings);
    }
  }

  #spectrum(image: Tensor, { rings }: PlaneTables): Tensor {
    const z = fft2(image, { norm: "ortho" });
    switch (this.#options.spectrum) {
      case "complex":
        return power(z);
      case "amplitude":
        return amplitude(z);
      case "log1p-amplitude":
        return log1pAmplitude(z);
      case "radial-power":
        return log1p(ringMeans(power(z), rings!));
    }
  }

  #planesOf(height: number, width: number): PlaneTables {
    const key = `${height} ${width}`;
    let tables = this.#planes.get(key);
    if (!tables) this.#planes.set(key, tables = this.#makePlane(height, width));
    return tables;
  }

  #makePlane(height: number, width: number): PlaneTables {
    const { spectrum } = this.#options;
    if (spectrum === "radial-power") {
      const { index, count } = unitRings(height, width);
      const weights = frequencyWeights(Array.from({ length: count }, (_, r) => r), this.#options);
      return {
        weights: this.#upload(weights.map(Math.sqrt), [1, count, 1], "weights of rings"),
        rings: createRings(this.gpu, index, count),
      };
    }
    const weights = frequencyWeights(radialFrequencies(height, width), this.#options);
    const values = spectrum === "complex" ? weights : weights.map(Math.sqrt);
    return {
      weights: this.#upload(values, [1, height, width, 1], "weights of frequencies"),
      rings: null,
    };
  }

  #table(values: Float64Array, label: string): TensorRef | null {
    return values.every((value) => value === 0)
      ? null
      : this.#upload(values, [values.length], label);
  }

  #upload(values: Float64Array, shape: readonly number[], label: string): TensorRef {
    const tensor = this.gpu.tensor(shape, { data: Float32Array.from(values), label });
    this.#owned.push(tensor);
    return tensor;
  }
}
