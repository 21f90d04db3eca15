/**
 * Inception v3 at work as features: 2048 numbers of its last pooling, and the 1008 class
 * probabilities without the last layer's bias, as pytorch-fid's weights give them.
 *
 * @module
 */
import type { Pixels } from "../../../data/dataset.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { FeatureExtractor, Features } from "./features.ts";
import { createInception, type Inception } from "./inception.ts";
import { CLASSES, POOL_FEATURES } from "./inception_layers.ts";
import type { InceptionWeights } from "./inception_weights.ts";

/** SHA-256 of the weights whose numbers papers report. */
export const PUBLISHED_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

/** Name of the features that papers take FIDs on. */
export const PUBLISHED_NAME = "Inception v3 (2015-12-05)";

/** Inception on the GPU. */
export class InceptionFeatures implements FeatureExtractor {
  readonly name: string;
  readonly dimension = POOL_FEATURES;
  readonly classes = CLASSES;
  readonly #network: Inception;

  /** @param sha256 Of the weights' file. */
  constructor(gpu: Gpu, weights: InceptionWeights, sha256: string) {
    this.#network = createInception(gpu, weights);
    this.name = sha256 === PUBLISHED_SHA256
      ? PUBLISHED_NAME
      : `Inception v3 with other weights (${sha256.slice(0, 8)})`;
  }

  async extract(pixels: Pixels): Promise<Features> {
    const { pool, probabilities } = await this.#network.features(pixels);
    return { features: pool, probabilities };
  }

  destroy(): void {
    this.#network.destroy();
  }
}
