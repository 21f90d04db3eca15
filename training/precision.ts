/**
 * What activations are stored as, and whether an adapter can.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";
import type { TrainingOptions } from "./options.ts";

/** What activations are stored as. */
export type Precision = TrainingOptions["precision"];

/**
 * Checks that an adapter can store activations so.
 *
 * @param remedy What to do where it cannot, as in "--precision f32".
 * @throws {RangeError} When they are f16 and the adapter has no such type.
 */
export function checkPrecision(gpu: Gpu, precision: Precision, remedy: string): void {
  if (precision === "f32" || gpu.has("shader-f16")) return;
  throw new RangeError(
    `Cannot compute in f16: the adapter must have shader-f16, ${gpu.description} has not; use ${remedy}`,
  );
}
