/**
 * What a distribution of noise is, for the table of them.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Draw } from "../../kernels/process/random.ts";
import type { FieldTable } from "../../support/options.ts";

/** Draws noise `[samples, ...shape]` with a key of kernels/shared/philox.ts. */
export type DrawNoise = (capture: Capture, key: TensorRef, draw: Draw) => TensorRef;

/** A distribution of noise, with options of its own. */
export interface NoiseRecord<O> {
  /** What is special about it, in a few words. */
  readonly description: string;
  readonly options: FieldTable;
  /** What draws it; the order of elements and their words is that of kernels/process/random.ts. */
  draw(options: O): DrawNoise;
}
