/**
 * The orthonormal 2-D discrete cosine transform (DCT-II) of every channel of images, and its inverse:
 *
 *     X[ky, kx] = sum_{y, x} d[ky, y] d[kx, x] x[y, x],
 *     d[k, i] = sqrt((k > 0 ? 2 : 1) / n) cos(pi k (2 i + 1) / (2 n))
 *
 * It is that of the image mirrored at its edges, so that nothing wraps around. An axis is a product with a
 * table: n multiplications a value, little beside any network.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const kernel = defineKernel({
  name: "dctAxis",
  bindings: {
    x: { type: full(1), access: "read" },
    table: { type: full(1), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", length: "u32", inner: "u32", row: "u32", column: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let k = (i / params.inner) % params.length;
  let first = i - k * params.inner;
  var sum = 0.0;
  for (var p = 0u; p < params.length; p++) {
    sum += table[k * params.row + p * params.column] * x[first + p * params.inner];
  }
  result[i] = sum;
}`,
});

/** d of the module, [n, n] row by row, in f64. */
export function cosineTable(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => {
    const k = Math.floor(at / n), i = at % n;
    // The angle is reduced first: a multiple of a full turn, 4 n, is none.
    return Math.sqrt((k > 0 ? 2 : 1) / n) *
      Math.cos(Math.PI * (k * (2 * i + 1) % (4 * n)) / (2 * n));
  });
}

/**
 * The transform of `x`.
 *
 * @param x `[N, H, W, C]`
 * @param inverse Whether from frequencies to pixels.
 * @throws {RangeError} When the shape is another.
 */
export function cosineTransform(capture: Capture, x: TensorRef, inverse: boolean): TensorRef {
  const [, height = 0, width = 0, channels = 0] = x.shape;
  if (x.shape.length !== 4) {
    throw new RangeError(
      `Cannot transform: the shape must be [N, H, W, C], got ${formatShape(x.shape)}`,
    );
  }
  const axes = [{ length: width, inner: channels }, { length: height, inner: width * channels }];
  return axes.reduce((of, { length, inner }) => {
    const result = capture.transient(x.shape, "dct");
    const items = sizeOf(x.shape);
    capture.dispatch({
      kernel,
      bindings: {
        x: of,
        table: capture.table(
          `cosines ${length}`,
          [length, length],
          () => Float32Array.from(cosineTable(length)),
        ),
        result,
      },
      params: { items, length, inner, row: inverse ? 1 : length, column: inverse ? length : 1 },
      workgroups: flatGrid(items, STREAM_WORKGROUP),
    });
    return result;
  }, x);
}
