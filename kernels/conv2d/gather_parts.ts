/**
 * Convolutions that are split along k: their parts, and the sum of the parts with the epilogue.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import {
  type Added,
  bind,
  epilogueTerms,
  type GatherProduct,
  gatherSizes,
  paramValues,
} from "./gather_source.ts";
import { convMultiplyAdds, JOINED_AT } from "./shape.ts";

/** A new tensor `[parts, pixels, channels]` and what the split product dispatches. */
export function bindParts(capture: Capture, product: GatherProduct, parts: number) {
  const { mode, shape, source, weight, label } = product;
  const { rows, columns } = gatherSizes(mode, shape);
  const out = capture.transient([parts, rows, columns], `${label} parts`);
  return {
    out,
    shared: { bindings: { source, weight, out }, multiplyAdds: convMultiplyAdds(shape) },
  };
}

/** Adds the parts in their order, and then what the epilogue adds. Channels are multiples of four. */
export function sumParts(capture: Capture, product: GatherProduct, parts: TensorRef): TensorRef {
  const { mode, shape, epilogue, added } = product;
  const { columns, height, width } = gatherSizes(mode, shape);
  const { out } = bind(capture, product);
  const bindings: Record<string, TensorRef> = { parts, out };
  for (const name of added) bindings[name] = epilogue[name]!;
  const items = sizeOf(out.shape) / 4;
  const { perImageRow = 0, perImageStart = 0 } = paramValues(product, 4);
  const { n, h, w, ci } = shape, { seam } = out;
  capture.dispatch({
    kernel: partsKernel(added, seam !== undefined),
    bindings,
    params: {
      ...{ items, parts: parts.shape[0]!, columns: columns / 4, pixels: height * width },
      ...{ perImageRow, perImageStart },
      ...(seam === undefined ? {} : { n, h, w, ci, seam }),
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return out;
}

/** @param joined Whether the result is, and what is like it. */
function partsKernel(added: readonly Added[], joined: boolean): Kernel {
  const vector: BindingSpec = { type: full(4), access: "read" };
  const bindings: Record<string, BindingSpec> = {
    parts: vector,
    out: { ...vector, access: "write", joined },
  };
  for (const name of added) bindings[name] = { ...vector, joined: joined && name === "residual" };
  const at = joined ? "joinedAt(item / params.columns, item % params.columns * 4u) / 4u" : "item";
  const terms = epilogueTerms(added, {
    image: "(item / params.columns / params.pixels)",
    column: "item % params.columns",
    at,
  });
  return {
    name: `conv2d.sumParts${added.map((name) => `+${name}`).join("")}${joined ? ".joined" : ""}`,
    bindings,
    params: {
      ...{ items: "u32", parts: "u32", columns: "u32", pixels: "u32" },
      ...{ perImageRow: "u32", perImageStart: "u32" },
      ...(joined ? { n: "u32", h: "u32", w: "u32", ci: "u32", seam: "u32" } as const : {}),
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${joined ? JOINED_AT : ""}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }
  var sum = parts[item];
  for (var part = 1u; part < params.parts; part++) { sum += parts[part * params.items + item]; }
  out[${at}] = sum${terms};
}`,
  };
}
