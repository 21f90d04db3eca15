import type { DType } from "../../device/element.ts";
import { castTo } from "../../kernels/elementwise/cast.ts";
import type { Tensor } from "../tensor.ts";

/** The same values, as far as `dtype` can say them; the tensor itself where that is its type. */
export function cast(x: Tensor, dtype: DType): Tensor {
  if (x.ref.dtype === dtype) return x;
  const { capture } = x.graph;
  return x.graph.record({
    op: "cast",
    inputs: [x],
    output: castTo(capture, x.ref, dtype),
    backward: (dy) => [castTo(capture, dy, x.ref.dtype)],
  });
}
