import type { Capture } from "../../device/capture.ts";
import { TENSOR_ALIGNMENT } from "../../device/gpu.ts";
import {
  byteLengthOf,
  formatShape,
  joined,
  partsOfJoined,
  placeAt,
  sizeOf,
  slice,
  type TensorRef,
} from "../../device/tensor.ts";
import type { Tensor } from "../tensor.ts";
import { isWhole } from "../whole.ts";
import { concat } from "./concat.ts";

/**
 * {@linkcode concat} of `[..., Ca]` and `[..., Cb]` without a copy, for what reads two tensors that lie one
 * behind the other: group normalisation and convolutions of 1x1. The two are placed so; where that cannot
 * be, they are concatenated.
 *
 * @throws {RangeError} When an axis before the last differs.
 */
export function join(a: Tensor, b: Tensor): Tensor {
  const output = joinRefs(a.graph.capture, a.ref, b.ref);
  if (!output) return concat(a, b);
  return a.graph.record({
    op: "join",
    inputs: [a, b],
    output,
    backward: (dy) => partsOfJoined(dy),
  });
}

/** Undefined where the two cannot be placed, or would not begin where a binding may. */
function joinRefs(capture: Capture, a: TensorRef, b: TensorRef): TensorRef | undefined {
  const suits = formatShape(a.shape.slice(0, -1)) === formatShape(b.shape.slice(0, -1)) &&
    a.dtype === b.dtype && byteLengthOf(a) % TENSOR_ALIGNMENT === 0 &&
    [a, b].every(({ shape, seam }) => (shape.at(-1) ?? 0) % 4 === 0 && seam === undefined);
  if (!suits) return undefined;
  // A block that is run again for the backward pass finds them joined.
  const known = joined(a, b, "joined");
  if (known) return known;
  const isFree = (tensor: TensorRef) =>
    isWhole(tensor) && !(tensor.storage.kind === "transient" && capture.kept.has(tensor.storage));
  if (!isFree(a) || !isFree(b) || a.storage === b.storage) return undefined;
  const both = capture.transient([sizeOf(a.shape) + sizeOf(b.shape)], "joined", a.dtype);
  placeAt(a, slice(both, 0, a.shape));
  placeAt(b, slice(both, sizeOf(a.shape), b.shape));
  return joined(a, b, "joined");
}
