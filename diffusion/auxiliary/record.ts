/**
 * What a loss beside the main one is, for the table of them: a distance between the clean image that the
 * network's output implies and the true one.
 *
 * @module
 */
import type { Tensor } from "../../autograd/graph.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { choice, decimal, type FieldTable, option, type OptionsOf } from "../../support/options.ts";

/** How a loss counts at each noise level; levels.ts has the factors. */
export const LEVEL_WEIGHTS = ["noise", "image", "loss"] as const;

/** Options of every such loss. */
export const SHARED = {
  weight: option(decimal({ min: 0 }), 0, "Its weight beside the loss; 0 = off"),
  levels: option(
    choice(LEVEL_WEIGHTS),
    "noise",
    "How noise levels count: noise = as errors of the noise, image = of the clean image, loss = as in the loss",
  ),
};

/** What a loss compares. */
export interface ComparedImages {
  /** The clean images that the network's output implies, `[n, h, w, c]`. */
  predicted(): Tensor;
  /** The true ones, of the same shape. */
  readonly clean: Tensor;
  /** The former minus the latter. */
  residual(): Tensor;
}

/** A loss with its tables on the GPU. */
export interface AuxiliaryLoss {
  /** Records the loss of each sample, `[n]`. */
  record(images: ComparedImages): Tensor;
  /** Its tables. */
  readonly owned: readonly TensorRef[];
}

/** See the module. */
export interface AuxiliaryRecord<O = unknown> {
  /** What it compares, in a few words. */
  readonly description: string;
  /** Options of its own. */
  readonly options: FieldTable;
  /** The power of the difference that it is: 1 for absolute values, 2 for squares. */
  readonly degree: 1 | 2;
  /**
   * Makes it for images of a size.
   *
   * @throws {RangeError} When an option does not fit the size.
   */
  create(gpu: Gpu, options: O, size: ImageSides): AuxiliaryLoss;
  /** Why it does not fit images of a size, or null; it fits all unless given. */
  misfit?(options: O, size: ImageSides): { key: string; rule: string } | null;
}

/** Sides of images. */
export interface ImageSides {
  readonly height: number;
  readonly width: number;
}

/** @internal */
type Shared = OptionsOf<typeof SHARED>;

/** See {@linkcode SHARED}. */
export type SharedSettings = Shared;
