/**
 * Tensors that have storage of their own.
 *
 * @module
 */
import { byteLengthOf, type TensorRef } from "../device/tensor.ts";

/** Whether a tensor is all of a transient storage that has not been placed elsewhere. */
export function isWhole(tensor: TensorRef): boolean {
  const { storage, byteOffset } = tensor;
  return storage.kind === "transient" && !storage.target && byteOffset === 0 &&
    storage.byteLength === byteLengthOf(tensor);
}
