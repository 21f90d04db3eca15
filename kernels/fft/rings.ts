/**
 * Means over rings of frequencies, or any other parts of a plane: `[N, H, W, C]` to `[N, R, C]`.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** A partition of a plane's points, with its tables on the GPU. */
export interface Rings {
  /** Rings R. */
  readonly count: number;
  /** Points of a plane. */
  readonly points: number;
  /** The ring of each point, u32 `[points]`. */
  readonly index: TensorRef;
  /** The points, those of a ring together, u32 `[points]`. */
  readonly order: TensorRef;
  /** Where each ring begins in `order`, and its end, u32 `[R + 1]`. */
  readonly starts: TensorRef;
}

/**
 * Uploads a partition.
 *
 * @param index The ring of each point, 0 to count - 1.
 * @throws {RangeError} When a ring has no point, or a point no ring.
 */
export function createRings(gpu: Gpu, index: Uint32Array<ArrayBuffer>, count: number): Rings {
  const order = Uint32Array.from(index.keys()).sort((a, b) => index[a]! - index[b]! || a - b);
  const starts = new Uint32Array(count + 1);
  for (const ring of index) {
    if (ring < count) starts[ring + 1]!++;
    else throw new RangeError(`Cannot make rings: each must be below ${count}, got ${ring}`);
  }
  for (let ring = 0; ring < count; ring++) {
    if (starts[ring + 1] === 0) {
      throw new RangeError(`Cannot make rings: each must have a point, got none in ring ${ring}`);
    }
    starts[ring + 1]! += starts[ring]!;
  }
  const upload = (data: Uint32Array<ArrayBuffer>, label: string) =>
    gpu.tensor([data.length], { dtype: "u32", data, label });
  return {
    count,
    points: index.length,
    index: upload(index, "rings"),
    order: upload(order, "points by ring"),
    starts: upload(starts, "starts of rings"),
  };
}

/** Frees a partition. */
export function destroyRings(gpu: Gpu, { index, order, starts }: Rings): void {
  for (const tensor of [index, order, starts]) gpu.destroyTensor(tensor);
}

const MAIN = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let channel = i % params.channels;`;

const forwardKernel = defineKernel({
  name: "ringMeans",
  bindings: {
    x: { type: full(1), access: "read" },
    order: { type: elementOf("u32", 1), access: "read" },
    starts: { type: elementOf("u32", 1), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", channels: "u32", rings: "u32", points: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
${MAIN}
  let ring = (i / params.channels) % params.rings;
  let plane = i / params.channels / params.rings * params.points;
  let first = starts[ring];
  let end = starts[ring + 1u];
  var total = 0.0;
  for (var k = first; k < end; k++) {
    total += x[(plane + order[k]) * params.channels + channel];
  }
  result[i] = total / f32(end - first);
}`,
});

const backwardKernel = defineKernel({
  name: "ringMeansBackward",
  bindings: {
    dy: { type: full(1), access: "read" },
    ring: { type: elementOf("u32", 1), access: "read" },
    starts: { type: elementOf("u32", 1), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", channels: "u32", rings: "u32", points: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
${MAIN}
  let point = (i / params.channels) % params.points;
  let sample = i / params.channels / params.points;
  let r = ring[point];
  let share = 1.0 / f32(starts[r + 1u] - starts[r]);
  result[i] = share * dy[(sample * params.rings + r) * params.channels + channel];
}`,
});

/**
 * Mean over each ring, a channel.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, R, C]`
 * @throws {RangeError} When a plane has another number of points than the partition.
 */
export function ringMeansForward(capture: Capture, x: TensorRef, rings: Rings): TensorRef {
  const [samples = 0, height = 0, width = 0, channels = 0] = x.shape;
  if (x.shape.length !== 4 || height * width !== rings.points) {
    throw new RangeError(
      `Cannot take means over rings: planes must have ${rings.points} points, got shape ${
        formatShape(x.shape)
      }`,
    );
  }
  const result = capture.transient([samples, rings.count, channels], "ringMeans");
  const items = sizeOf(result.shape);
  capture.dispatch({
    kernel: forwardKernel,
    bindings: { x, order: rings.order, starts: rings.starts, result },
    params: { items, channels, rings: rings.count, points: rings.points },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * Gradient with respect to `x`.
 *
 * @param dy Upstream gradient `[N, R, C]`.
 * @param shape Shape of `x`.
 */
export function ringMeansBackward(
  capture: Capture,
  dy: TensorRef,
  rings: Rings,
  shape: readonly number[],
): TensorRef {
  const result = capture.transient(shape, "ringMeansBackward");
  const items = sizeOf(shape);
  capture.dispatch({
    kernel: backwardKernel,
    bindings: { dy, ring: rings.index, starts: rings.starts, result },
    params: { items, channels: shape[3] ?? 1, rings: rings.count, points: rings.points },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
