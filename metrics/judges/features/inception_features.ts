/**
 * Inception v3 at work as features: 2048 numbers of its last pooling, and the 1008 class
 * probabilities without the last layer's bias, as pytorch-fid's weights give them.
 *
 * @module
 */
import type { Pixels } from "../../../data/dataset.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { FeatureExtractor, Features } from "./features.ts";
import { resampleF32 } from "../../../data/pixels/resample.ts";
import { createInception, type Inception, type InceptionImages } from "./inception.ts";
import { CLASSES, INPUT_SIDE, POOL_FEATURES } from "./inception_layers.ts";
import type { InceptionWeights } from "./inception_weights.ts";

/** SHA-256 of the weights whose numbers papers report. */
export const PUBLISHED_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

/** Name of the features that papers take FIDs on. */
export const PUBLISHED_NAME = "Inception v3 (2015-12-05)";

/** Name of the features that clean-fid takes FIDs on. */
export const CLEAN_NAME = `${PUBLISHED_NAME}, clean-fid's resize`;

/** How images come to the side of 299 pixels that Inception sees. */
export type InceptionResize = "tensorflow" | "clean";

/**
 * Inception on the GPU. Images are resized as in the network of 2015-12-05, bilinear and without
 * antialiasing; or, "clean", as clean-fid does: antialiased bicubic of Pillow in floats, and
 * `x / 128 - 1` for what is seen (Parmar et al. 2022).
 */
export class InceptionFeatures implements FeatureExtractor {
  readonly name: string;
  readonly dimension = POOL_FEATURES;
  readonly classes = CLASSES;
  readonly #network: Inception;

  /** @param sha256 Of the weights' file. */
  constructor(
    gpu: Gpu,
    weights: InceptionWeights,
    sha256: string,
    private readonly resize: InceptionResize = "tensorflow",
  ) {
    this.#network = createInception(gpu, weights);
    const name = sha256 === PUBLISHED_SHA256
      ? PUBLISHED_NAME
      : `Inception v3 with other weights (${sha256.slice(0, 8)})`;
    this.name = resize === "clean" ? name + CLEAN_NAME.slice(PUBLISHED_NAME.length) : name;
  }

  async extract(pixels: Pixels): Promise<Features> {
    const { pool, probabilities } = await this.#network.features(
      this.resize === "clean" ? cleanImages(pixels) : pixels,
    );
    return { features: pool, probabilities };
  }

  destroy(): void {
    this.#network.destroy();
  }
}

/** Images as clean-fid gives them to the network, which takes `2 v - 1` of what it is given. */
export function cleanImages(pixels: Pixels): InceptionImages {
  const { count, channels } = pixels;
  const images = resampleF32(pixels, INPUT_SIDE, INPUT_SIDE, "bicubic").map((value) => value / 256);
  return { images, count, height: INPUT_SIDE, width: INPUT_SIDE, channels };
}
