/**
 * Features and class scores of images by Inception v3, in micro-batches of a program that is captured
 * once for each size of image.
 *
 * @module
 */
import { Arena } from "../../../device/arena.ts";
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { Program } from "../../../device/program.ts";
import { CLASSES, INPUT_CHANNELS, POOL_FEATURES } from "./inception_layers.ts";
import {
  captureInception,
  type InceptionOutputs,
  type InceptionParameters,
  type Tap,
} from "./inception_network.ts";
import type { InceptionWeights } from "./inception_weights.ts";

/** Images `[count, height, width, channels]`: bytes, or numbers in [0, 1]. */
export interface InceptionImages {
  readonly images: Uint8Array | Float32Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** 3, or 1 for grey images, which the network sees three times. */
  readonly channels: number;
}

/** What the network says of each image. */
export interface InceptionFeatures {
  /** `[count, 2048]`: features for the Frechet distance. */
  readonly pool: Float32Array<ArrayBuffer>;
  /** `[count, 1008]`: softmax of the scores without the last layer's bias, for the Inception Score. */
  readonly probabilities: Float32Array<ArrayBuffer>;
}

/** Choices of {@linkcode createInception}. */
export interface InceptionOptions {
  /**
   * Images that run at once, 8 unless given. Activations take 8 MB an image; larger batches
   * help large GPUs only.
   */
  readonly microBatch?: number;
}

/** Images of one size, and the program that reads them. */
interface Sized {
  readonly program: Program;
  readonly outputs: InceptionOutputs;
  /** Values of the program's input. */
  readonly batch: Float32Array;
}

/** Convolutions beyond this take a slower path for lack of workgroups along one dimension. */
const MOST_IMAGES = 32;

/** Uploads weights and gives the network. */
export function createInception(
  gpu: Gpu,
  weights: InceptionWeights,
  options: InceptionOptions = {},
): Inception {
  return new Inception(gpu, weights, options);
}

/** The network with its weights on a GPU. */
export class Inception {
  /** Images that run at once. */
  readonly microBatch: number;
  readonly #arena: Arena;
  readonly #programs = new Map<string, Sized>();

  /** @throws {RangeError} When the micro-batch is not a number of images from 1 to 32. */
  constructor(
    private readonly gpu: Gpu,
    weights: InceptionWeights,
    { microBatch = 8 }: InceptionOptions,
  ) {
    if (!Number.isInteger(microBatch) || microBatch < 1 || microBatch > MOST_IMAGES) {
      throw new RangeError(
        `Cannot create Inception: microBatch must be an integer from 1 to ${MOST_IMAGES}, got ${microBatch}`,
      );
    }
    this.microBatch = microBatch;
    const tensors = new Map([["classifier", weights.classifier]]);
    for (const [name, { weight, bias }] of weights.convolutions) {
      tensors.set(`${name}.weight`, weight).set(`${name}.bias`, bias);
    }
    const entries = Array.from(tensors, ([name, { shape }]) => ({ name, shape }));
    this.#arena = Arena.create(gpu, "Inception", entries);
    for (const [name, { data }] of tensors) gpu.write(this.#arena.get(name), data);
  }

  /**
   * Features and probabilities of images, in their order.
   *
   * @param progress Told the number of images that are done, after each micro-batch.
   * @throws {RangeError} When the number of values is not that of the images, or channels are neither
   *   1 nor 3.
   */
  async features(
    images: InceptionImages,
    progress: (done: number) => void = () => {},
  ): Promise<InceptionFeatures> {
    const { count, height, width } = images;
    checkImages(images);
    const pool = new Float32Array(count * POOL_FEATURES);
    const probabilities = new Float32Array(count * CLASSES);
    if (count === 0) return { pool, probabilities };
    const { program, outputs, batch } = await this.#programFor(height, width);
    for (let first = 0; first < count; first += this.microBatch) {
      const size = Math.min(this.microBatch, count - first);
      // Places beyond the last image keep older ones; their results are dropped.
      fillBatch(batch, images, first, size);
      program.run({ images: batch });
      const features = await program.readF32(outputs.pool);
      pool.set(features.subarray(0, size * POOL_FEATURES), first * POOL_FEATURES);
      const scores = await program.readF32(outputs.probabilities);
      probabilities.set(scores.subarray(0, size * CLASSES), first * CLASSES);
      progress(first + size);
    }
    return { pool, probabilities };
  }

  /**
   * Records the network for one micro-batch of images of a size, as an input named "images".
   *
   * @param tap Sees each stage; see {@linkcode captureInception}.
   */
  capture(capture: Capture, height: number, width: number, tap?: Tap): InceptionOutputs {
    const images = capture.input("images", [this.microBatch, height, width, INPUT_CHANNELS]);
    const parameters: InceptionParameters = {
      convolution: (name) => ({
        weight: this.#arena.get(`${name}.weight`),
        bias: this.#arena.get(`${name}.bias`),
      }),
      classifier: this.#arena.get("classifier"),
    };
    return captureInception(capture, images, parameters, tap);
  }

  /** Frees the weights and all programs. */
  destroy(): void {
    for (const { program } of this.#programs.values()) program.destroy();
    this.#programs.clear();
    this.#arena.destroy(this.gpu);
  }

  async #programFor(height: number, width: number): Promise<Sized> {
    const key = `${height}x${width}`;
    const known = this.#programs.get(key);
    if (known) return known;
    const capture = new Capture(this.gpu, `Inception for ${key} pixels`);
    const outputs = this.capture(capture, height, width);
    capture.keep(outputs.pool);
    capture.keep(outputs.probabilities);
    const program = await capture.plan();
    const batch = new Float32Array(this.microBatch * height * width * INPUT_CHANNELS);
    const sized = { program, outputs, batch };
    this.#programs.set(key, sized);
    return sized;
  }
}

function checkImages({ images, count, height, width, channels }: InceptionImages): void {
  const size = count * height * width * channels;
  if ((channels !== 1 && channels !== INPUT_CHANNELS) || images.length !== size) {
    throw new RangeError(
      `Cannot compute Inception's features: ${count} images of ${height}x${width} must have 1 or 3 channels and ${size} values, got ${channels} channels and ${images.length} values`,
    );
  }
}

/** Writes images `first` to `first + size` as numbers in [0, 1] with three channels. */
export function fillBatch(
  batch: Float32Array,
  { images, height, width, channels }: InceptionImages,
  first: number,
  size: number,
): void {
  const start = first * height * width * channels;
  const divisor = images instanceof Uint8Array ? 255 : 1;
  const copies = INPUT_CHANNELS / channels;
  for (let i = 0; i < size * height * width * channels; i++) {
    const value = images[start + i]! / divisor;
    for (let k = 0; k < copies; k++) batch[i * copies + k] = value;
  }
}
