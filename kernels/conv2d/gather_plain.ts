/**
 * The convolution of gather.ts with an invocation for each element: everywhere, and the measure of the
 * other variants.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { exactText } from "../shared/exact.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import {
  bind,
  epilogueTerms,
  type GatherProduct,
  gatherSizes,
  kernelBindings,
  names,
  paramTypes,
  paramValues,
  sourceFunction,
  tapsOf,
} from "./gather_source.ts";
import { JOINED_AT, pixelText } from "./shape.ts";

/** Records the sum. */
export function recordPlain(capture: Capture, product: GatherProduct): TensorRef {
  const { rows, columns } = gatherSizes(product.mode, product.shape);
  const { out, shared } = bind(capture, product);
  capture.dispatch({
    kernel: plainKernel(product),
    ...shared,
    params: paramValues(product, 1),
    workgroups: flatGrid(rows * columns, STREAM_WORKGROUP),
  });
  return out;
}

function plainKernel({ mode, added, shape, layerStep }: GatherProduct): Kernel {
  const layered = layerStep !== undefined;
  const { stride } = shape;
  const joined = shape.seam !== undefined, forward = mode === "forward";
  const doubled = shape.doubled === true, pixel = pixelText(doubled && forward);
  const taps = tapsOf(doubled && !forward);
  const size = names(mode);
  const weightAt = forward
    ? "(tap * depth + k) * columns + column"
    : layered
    ? "tap * params.layerStep + column * depth + k"
    : "(tap * columns + column) * depth + k";
  const sourceAt = joined && forward ? "joinedAt(pixel, k)" : "at + k";
  const term = `source[${sourceAt}] * weight[${weightAt}]`;
  const at = joined && !forward ? "joinedAt(pixel, column)" : "item";
  const places = { image: "image", column: "column", at };
  const terms = epilogueTerms(added, places);
  return {
    name: `conv2d.${mode}.plain${stride === 1 ? "" : `.stride${stride}`}${
      added.map((name) => `+${name}`).join("")
    }${joined ? ".joined" : ""}${doubled ? ".doubled" : ""}${layered ? ".layers" : ""}`,
    bindings: kernelBindings(mode, added, { depth: 1, columns: 1 }, joined),
    params: paramTypes(added, { joined, layered }),
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${exactText("params.kw >> 31u")}${sourceFunction(mode, stride)}${
      joined ? JOINED_AT : ""
    }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  let columns = params.${size.columns};
  let depth = params.${size.depth};
  let pixel = item / columns;
  if (pixel >= params.n * params.${size.height} * params.${size.width}) { return; }
  let column = item % columns;
  let px = pixel % params.${size.width};
  let py = pixel / params.${size.width} % params.${size.height};
  let image = pixel / (params.${size.width} * params.${size.height});
  // The measure of the others keeps what additions lose.
  var sum = vec2f();
  for (var walk = 0u; walk < ${taps.rows} * ${taps.columns}; walk++) {
    let ky = walk / ${taps.columns};
    let kx = walk % ${taps.columns};
    let tap = ${taps.ky} * params.kw + ${taps.kx};
    let sy = sourceOf(${taps.py("py")}, ${taps.ky}, params.py, params.${size.sh});
    let sx = ${
      layered ? "i32(px)" : `sourceOf(${taps.px("px")}, ${taps.kx}, params.px, params.${size.sw})`
    };
    if (sy < 0 || sx < 0) { continue; }
    let line = ${pixel.line(`image * params.${size.sh} + u32(sy)`, `params.${size.sw}`)};
    let at = (${layered ? `tap * params.n * params.h * params.w + ` : ""}line + ${
      pixel.column("u32(sx)")
    }) * depth;
    for (var k = 0u; k < depth; k++) {
      let next = exactSum(sum.x, ${term});
      sum = vec2f(next.x, sum.y + next.y);
    }
  }
  out[${at}] = sum.x + sum.y${terms};
}`,
  };
}
