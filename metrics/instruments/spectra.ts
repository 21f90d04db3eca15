/**
 * Power spectra of a run with every preview: of the data, of noisy images x_t and of what the averaged
 * weights make of them, at a few timesteps, and of the preview's samples. Images and noise of the
 * probe depend on the run's seed alone, so that steps and methods compare.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../../autograd/graph.ts";
import { conditionInputs, conditionValues } from "../../autograd/network_inputs.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import { pickLabels, type Pixels, type RawImages } from "../../data/dataset.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Predictor } from "../../diffusion/denoiser.ts";
import type { ProcessOnGpu } from "../../diffusion/level_tables.ts";
import type { Process } from "../../diffusion/process.ts";
import { addSame } from "../../kernels/elementwise/add.ts";
import { destroyRings, type Rings } from "../../kernels/fft/rings.ts";
import { randomNormal } from "../../kernels/process/random.ts";
import { seedKey } from "../../support/philox.ts";
import { STREAMS } from "../../support/random_streams.ts";
import { type SpectralClassifier, spectralClassifier } from "../judges/spectral_classifier.ts";
import { frechetDistance } from "../numerics/frechet.ts";
import type { InstrumentOptions } from "./options.ts";
import type { Gaussian } from "../numerics/moments.ts";
import {
  keptRings,
  logPowerMoments,
  PowerMeter,
  powerRings,
  recordPowers,
  transformedAtOnce,
} from "./power_meter.ts";
import {
  highBandError,
  psdDistance,
  ringRadii,
  type SpectrumSummary,
  summarizeSpectra,
} from "../numerics/power_law.ts";
import { rounded } from "../numerics/rounded.ts";

/** The step in the random key; no training step has it. */
const PROBE_STEP = 0xfffffffe;

/** Pixels of an image up to which all images asked for are looked at. */
const WATCHED_PIXELS = 128 * 128;

/** What the instrument is made of. */
export interface SpectraParts extends Predictor {
  readonly gpu: Gpu;
  readonly process: Process;
  /** The training images. */
  readonly images: LabelledPixels;
  readonly seed: number;
  /** The averaged weights. */
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
  /** Images that go through the network at once, at most. */
  readonly batch: number;
  /** Steps between two looks; 0 = never. */
  readonly everySteps: number;
  readonly options: InstrumentOptions;
  /** The spectra of the training images, where they are measured already. */
  readonly reference?: SpectralReference;
}

/** Spectra at a timestep. */
export type TimestepSpectra = {
  readonly t: number;
  /** Of x_t. */
  readonly noisy: SpectrumSummary;
  /** Of the clean image that the network sees in it, unclipped. */
  readonly predicted: SpectrumSummary;
  /**
   * Phase coherence of that image with the true one by ring, from -1 to 1: the correlation of their
   * Fourier coefficients (Saxton and Baumeister 1982); missing in logs of earlier versions.
   */
  readonly coherence?: number[];
};

/** What samples are against data. */
export type SampleSpectra = SpectrumSummary & {
  /** Frechet distance of log radial spectra. */
  readonly distance: number;
  /** See {@linkcode highBandError}. */
  readonly highBandError: number;
  readonly highBandBias: number;
  /** See {@linkcode psdDistance}; missing in logs of earlier versions. */
  readonly psdError?: number;
  readonly highBandRatio?: number;
};

/** A line of the log. */
export type SpectraEvent = {
  readonly event: "spectra";
  readonly data: SpectrumSummary;
  readonly probe: TimestepSpectra[];
  /** Null where there was no preview. */
  readonly samples: SampleSpectra | null;
  /** Whether a classifier tells them from data; null of fewer than ten. */
  readonly classifier?: SpectralClassifier | null;
};

/** Images, and their classes where they have any. */
export type LabelledPixels = Pixels & Partial<Pick<RawImages, "labels">>;

type Sides = Pick<Pixels, "height" | "width">;

/**
 * How many images are compared with where `count` are asked for: above 128x128 as many as have the
 * pixels of so many of 128x128, so that large ones take no longer. A larger image has more waves in
 * each ring, so fewer of them tell as much.
 */
export function referenceImages({ height, width }: Sides, count: number): number {
  return atMost(count, WATCHED_PIXELS / (height * width));
}

/**
 * How many images are noised and predicted where `count` are asked for: above 128x128 fewer by the
 * square of the area's ratio, as a network takes longer for each and previews want it as well.
 */
export function probedImages({ height, width }: Sides, count: number): number {
  return atMost(count, (WATCHED_PIXELS / (height * width)) ** 2);
}

function atMost(count: number, share: number): number {
  return Math.min(count, Math.max(2, Math.round(count * share)));
}

/** `count` images spread evenly over a set, in its order. */
export function spreadImages(pixels: LabelledPixels, count: number): LabelledPixels {
  const { height, width, channels } = pixels;
  const chosen = Math.min(count, pixels.count), length = height * width * channels;
  const images = new Uint8Array(chosen * length);
  const places = Uint32Array.from(
    { length: chosen },
    (_, i) => Math.floor(i * pixels.count / chosen),
  );
  places.forEach((place, i) => {
    const from = place * length;
    images.set(pixels.images.subarray(from, from + length), i * length);
  });
  const labels = pixels.labels && pickLabels(pixels.labels, places);
  return { images, ...(labels ? { labels } : {}), count: chosen, height, width, channels };
}

/** Spectra of data, and what samples are against them. */
export class SpectralReference {
  #destroyed = false;

  private constructor(
    private readonly meter: PowerMeter,
    private readonly radii: readonly number[][],
    readonly data: SpectrumSummary,
    private readonly moments: Gaussian,
    /** Powers of the data, `[count, rings]`. */
    readonly powers: Float64Array,
  ) {}

  /** Measures `count` images spread over the set. */
  static async create(gpu: Gpu, pixels: Pixels, count: number): Promise<SpectralReference> {
    const meter = await PowerMeter.create(gpu, pixels);
    const radii = ringRadii(pixels.height, pixels.width);
    const powers = await meter.measure(spreadImages(pixels, count).images);
    const data = summarizeSpectra(powers, radii);
    const moments = logPowerMoments(powers, radii.length);
    return new SpectralReference(meter, radii, data, moments, powers);
  }

  /** Powers of images, `[count, rings]`. */
  measure(images: Float32Array | Uint8Array): Promise<Float64Array> {
    return this.meter.measure(images);
  }

  /** What powers of at least two samples are against the data's. */
  compare(powers: Float64Array): SampleSpectra {
    const summary = summarizeSpectra(powers, this.radii);
    const { distance } = frechetDistance(logPowerMoments(powers, this.radii.length), this.moments);
    const { error, bias } = highBandError(summary.power, this.data.power);
    const { psdError, highBandRatio } = psdDistance(summary.power, this.data.power, this.radii);
    return {
      ...summary,
      distance: rounded(distance),
      highBandError: rounded(error),
      highBandBias: rounded(bias),
      psdError: rounded(psdError),
      highBandRatio: rounded(highBandRatio),
    };
  }

  /** Whether a classifier tells samples from the data; null of fewer than ten samples. */
  classify(powers: Float64Array): SpectralClassifier | null {
    return spectralClassifier(this.powers, powers, this.radii.length);
  }

  /** Frees its memory; several may share it, and each may say that it is done. */
  destroy(): void {
    if (!this.#destroyed) this.meter.destroy();
    this.#destroyed = true;
  }
}

/** The instrument: an observer of a run. */
export class Spectra {
  readonly everySteps: number;
  readonly atEnd = true;
  #samples: Float32Array | null = null;

  private constructor(
    private readonly parts: SpectraParts,
    private readonly reference: SpectralReference,
    private readonly probe: Probe,
  ) {
    this.everySteps = parts.everySteps;
  }

  /** Measures the data and plans the probe. */
  static async create(parts: SpectraParts): Promise<Spectra> {
    const { gpu, images, options } = parts;
    const count = referenceImages(images, options.spectraReference);
    const reference = parts.reference ?? await SpectralReference.create(gpu, images, count);
    return new Spectra(parts, reference, await Probe.create(parts));
  }

  /** Takes the samples of a preview. */
  preview(images: Float32Array): void {
    this.#samples = images;
  }

  /**
   * The spectra of now.
   *
   * @param overdue Once aborted, its reason is thrown.
   */
  async read(_step?: number, overdue?: AbortSignal): Promise<SpectraEvent> {
    const { options, process: { schedule }, images: { height, width, channels } } = this.parts;
    const probe: TimestepSpectra[] = [];
    for (const share of options.spectraTimesteps) {
      probe.push(await this.probe.at(Math.floor(share * schedule.timesteps), overdue));
    }
    const images = this.#samples;
    this.#samples = null;
    // A single image has no spread.
    const powers = images && images.length >= 2 * height * width * channels
      ? await this.reference.measure(images)
      : null;
    return {
      event: "spectra",
      data: this.reference.data,
      probe,
      samples: powers && this.reference.compare(powers),
      classifier: powers && this.reference.classify(powers),
    };
  }

  /** Frees its memory. */
  destroy(): void {
    this.reference.destroy();
    this.probe.destroy();
  }
}

/**
 * The correlation of two sets of images by ring, sum Re a b* / sqrt(sum |a|^2 sum |b|^2), from powers
 * `[count, rings]` of a, b and a + b.
 */
export function coherenceOf(
  a: readonly number[],
  b: readonly number[],
  sums: readonly number[],
  rings: number,
): number[] {
  const total = (list: readonly number[], ring: number) =>
    list.reduce((sum, value, i) => i % rings === ring ? sum + value : sum, 0);
  return Array.from({ length: rings }, (_, ring) => {
    const [own, other] = [total(a, ring), total(b, ring)];
    const shared = (total(sums, ring) - own - other) / 2;
    return own > 0 && other > 0 ? rounded(shared / Math.sqrt(own * other)) : 0;
  });
}

/** x_t and predictions from it, measured for a fixed set of images and noise. */
class Probe {
  private constructor(
    private readonly parts: SpectraParts,
    private readonly images: LabelledPixels,
    private readonly batch: number,
    private readonly rings: Rings,
    private readonly x0: TensorRef,
    private readonly noisy: TensorRef,
    private readonly predicted: TensorRef,
    /** Powers of the clean images, and of their sums with what is predicted. */
    private readonly clean: TensorRef,
    private readonly sums: TensorRef,
    private readonly program: Program,
    private readonly onGpu: ProcessOnGpu,
  ) {}

  static async create(parts: SpectraParts): Promise<Probe> {
    const { gpu, process, denoise, conditioning, parameters, options } = parts;
    const count = probedImages(parts.images, options.spectraCount);
    const images = spreadImages(parts.images, count);
    const { height, width, channels } = images;
    const batch = Math.min(parts.batch, images.count, transformedAtOnce(gpu, images));
    const onGpu = process.onGpu(gpu);
    const x0 = gpu.tensor([batch, height, width, channels], { label: "probed images" });
    const rings = powerRings(gpu, images);
    const capture = new Capture(gpu, "spectra");
    const random = capture.input("key", [4], "u32");
    const timesteps = capture.input("timesteps", [batch], "u32");
    const graph = new Graph(capture, { parameters });
    const shape = [height, width, channels];
    const noise = randomNormal(capture, random, { samples: batch, shape, stream: STREAMS.noise });
    const noisy = onGpu.noised(capture, x0, noise, timesteps);
    const noisyPowers = capture.keep(recordPowers(capture, noisy, rings));
    const conditions = conditionInputs(capture, batch, conditioning);
    const f = denoise(graph, { ...onGpu.inputs(graph, noisy, timesteps), ...conditions }).ref;
    const { xt, output } = process.tables.toX0;
    const predicted = onGpu.combine(capture, timesteps, [
      { share: xt, x: noisy },
      { share: output, x: f },
    ]);
    const powers = capture.keep(recordPowers(capture, predicted, rings));
    // |a + b|^2 = |a|^2 + |b|^2 + 2 Re a b*: three spectra give the correlation of two images.
    const cleanPowers = capture.keep(recordPowers(capture, x0, rings));
    const sums = capture.keep(recordPowers(capture, addSame(capture, x0, predicted), rings));
    const program = await capture.plan();
    const measured = [noisyPowers, powers, cleanPowers, sums] as const;
    return new Probe(parts, images, batch, rings, x0, ...measured, program, onGpu);
  }

  /** Spectra at a timestep. */
  async at(t: number, overdue?: AbortSignal): Promise<TimestepSpectra> {
    const { images, batch } = this;
    const noisy: number[] = [], predicted: number[] = [], clean: number[] = [], sums: number[] = [];
    const lists = [
      [noisy, this.noisy],
      [predicted, this.predicted],
      [clean, this.clean],
      [sums, this.sums],
    ] as const;
    for (let first = 0; first < images.count; first += batch) {
      const used = Math.min(batch, images.count - first);
      this.#load(first, used);
      this.program.run({
        key: [...seedKey(this.parts.seed), PROBE_STEP, first],
        timesteps: new Uint32Array(batch).fill(t),
        ...conditionValues(batch, this.parts.conditioning, {
          labels: (i) => images.labels?.[Math.min(first + i, images.count - 1)] ?? 0,
        }),
      });
      for (const [list, tensor] of lists) {
        const powers = await this.program.readF32(tensor);
        for (const power of keptRings(powers, this.rings.count, images, used)) list.push(power);
      }
      // Handlers of signals run between macrotasks alone.
      await new Promise((resolve) => setTimeout(resolve, 0));
      overdue?.throwIfAborted();
    }
    const radii = ringRadii(images.height, images.width);
    return {
      t,
      noisy: summarizeSpectra(Float64Array.from(noisy), radii),
      predicted: summarizeSpectra(Float64Array.from(predicted), radii),
      coherence: coherenceOf(clean, predicted, sums, radii.length),
    };
  }

  destroy(): void {
    const { gpu } = this.parts;
    this.program.destroy();
    gpu.destroyTensor(this.x0);
    this.onGpu.destroy();
    destroyRings(gpu, this.rings);
  }

  /** Puts images from `first` on into the program's batch; places without one repeat the last. */
  #load(first: number, used: number): void {
    const { height, width, channels } = this.images;
    const length = height * width * channels;
    const values = new Float32Array(this.batch * length);
    for (let i = 0; i < values.length; i++) {
      const image = first + Math.min(Math.floor(i / length), used - 1);
      values[i] = this.images.images[image * length + i % length]! / 127.5 - 1;
    }
    this.parts.gpu.write(this.x0, values);
  }
}
