/**
 * What judges images: a network that turns them into features and class probabilities. Every number
 * made with features carries their name, so that a distance on one network's features is never taken
 * for another's.
 *
 * @module
 */
import type { Pixels } from "../../../data/dataset.ts";

/** What a network says of images. */
export interface Features {
  /** `[count, dimension]` */
  readonly features: Float32Array;
  /** `[count, classes]`, each row a distribution; empty without classes. */
  readonly probabilities: Float32Array;
}

/** A network that judges. */
export interface FeatureExtractor {
  /** Which features these are: a label for every number made with them. */
  readonly name: string;
  /** Features of an image. */
  readonly dimension: number;
  /** Classes that it tells apart; 0 where it knows none. */
  readonly classes: number;
  /** Whether its classes are those of the data set, by the same numbers; false unless given. */
  readonly knowsLabels?: boolean;
  /**
   * Judges images; the result does not depend on what else is in the batch.
   *
   * @throws {RangeError} When the images have another shape than the network takes.
   */
  extract(pixels: Pixels): Promise<Features>;
  /** Frees its memory. */
  destroy(): void;
}

/** Images from `first` on, `count` at most, as a view. */
export function slicePixels<P extends Pixels>(pixels: P, first: number, count: number): Pixels {
  const { height, width, channels } = pixels;
  const length = height * width * channels;
  const end = Math.min(pixels.count, first + count);
  const images = pixels.images.subarray(first * length, end * length);
  return { images, count: end - first, height, width, channels };
}
