/**
 * Tensors in another element type.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { DType } from "../../device/element.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { copyInto } from "./add.ts";

/** The same values, as far as `dtype` can say them; the tensor itself where that is its type. */
export function castTo(capture: Capture, x: TensorRef, dtype: DType): TensorRef {
  if (x.dtype === dtype) return x;
  const result = capture.transient(x.shape, `${x.label} as ${dtype}`, dtype);
  copyInto(capture, result, x);
  return result;
}
