/**
 * What a normalisation scales and shifts by, changed for each image (FiLM, Perez et al. 2018; Dhariwal
 * and Nichol 2021, equation 6): normalised values times `(1 + scale)` plus `shift`, behind the
 * normalisation's own weight and bias, are
 *
 *     weight' = weight (1 + scale),   bias' = bias (1 + scale) + shift
 *
 * so that no pass over the image is needed. Scales and shifts are columns of a matrix that may hold
 * those of many layers side by side.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import type { PartialSum } from "../shared/partial_sums.ts";
import { affineSums } from "./affine_parts.ts";

/** Where the scales and shifts of a layer are. */
export interface FilmColumns {
  /** `[N, M]` */
  readonly matrix: TensorRef;
  /** The first of C columns of scales, which C of shifts follow. */
  readonly start: number;
}

const PARAMS = { items: "u32", channels: "u32", row: "u32", start: "u32" } as const;

const INDICES = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let image = i / params.channels;
  let c = i % params.channels;
  let at = image * params.row + params.start + c;
  let to = 2u * image * params.channels + c;`;

/**
 * `[N, 2, C]`: of each image `weight'` and `bias'`.
 *
 * @param weight `[C]`
 * @param bias `[C]`
 * @throws {RangeError} When the matrix lacks the columns.
 */
export function filmAffineForward(
  capture: Capture,
  weight: TensorRef,
  bias: TensorRef,
  { matrix, start }: FilmColumns,
): TensorRef {
  const channels = sizeOf(weight.shape);
  const [images = 0, row = 0] = matrix.shape;
  if (
    matrix.shape.length !== 2 || start < 0 || start + 2 * channels > row ||
    sizeOf(bias.shape) !== channels
  ) {
    throw new RangeError(
      `Cannot modulate ${channels} channels: there must be as many biases and columns ${start} to ${
        start + 2 * channels
      }, got ${sizeOf(bias.shape)} and a matrix of ${formatShape(matrix.shape)}`,
    );
  }
  const result = capture.transient([images, 2, channels], "filmAffine");
  const read = { type: full(1), access: "read" } as const;
  capture.dispatch({
    kernel: defineKernel({
      name: "filmAffine",
      bindings: {
        weight: read,
        bias: read,
        changes: read,
        result: { type: full(1), access: "write" },
      },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${INDICES}
  let scale = 1.0 + changes[at];
  result[to] = weight[c] * scale;
  result[to + params.channels] = bias[c] * scale + changes[at + params.channels];
}`,
    }),
    bindings: { weight, bias, changes: matrix, result },
    params: { items: images * channels, channels, row, start },
    workgroups: flatGrid(images * channels, STREAM_WORKGROUP),
  });
  return result;
}

/** Operands of {@linkcode filmAffineForward}. */
export interface Modulated {
  readonly weight: TensorRef;
  readonly bias: TensorRef;
  readonly changes: FilmColumns;
}

/** Gradients of weight and bias, in parts, from the upstream gradient `dy` `[N, 2, C]`. */
export function filmAffineBackward(
  capture: Capture,
  { changes: { matrix, start } }: Modulated,
  dy: TensorRef,
): { dweight: PartialSum; dbias: PartialSum } {
  const [images = 0, , channels = 0] = dy.shape;
  const parts = capture.transient([images, 2, channels], "filmAffine parts");
  const read = { type: full(1), access: "read" } as const;
  capture.dispatch({
    kernel: defineKernel({
      name: "filmAffineBackward",
      bindings: { changes: read, dy: read, parts: { type: full(1), access: "write" } },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${INDICES}
  let scale = 1.0 + changes[at];
  parts[to] = dy[to] * scale;
  parts[to + params.channels] = dy[to + params.channels] * scale;
}`,
    }),
    bindings: { changes: matrix, dy, parts },
    params: { items: images * channels, channels, row: matrix.shape[1] ?? 0, start },
    workgroups: flatGrid(images * channels, STREAM_WORKGROUP),
  });
  return affineSums(parts);
}

/**
 * Adds the gradients of scales and shifts from the upstream gradient `dy` `[N, 2, C]` to their columns.
 *
 * @param into `[N, M]`, as the matrix of scales and shifts.
 */
export function filmChangesInto(
  capture: Capture,
  { weight, bias, changes: { start } }: Modulated,
  dy: TensorRef,
  into: TensorRef,
): void {
  const [images = 0, , channels = 0] = dy.shape;
  const read = { type: full(1), access: "read" } as const;
  capture.dispatch({
    kernel: defineKernel({
      name: "filmAffineChanges",
      bindings: {
        weight: read,
        bias: read,
        dy: read,
        into: { type: full(1), access: "read_write" },
      },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${INDICES}
  let db = dy[to + params.channels];
  into[at] += dy[to] * weight[c] + db * bias[c];
  into[at + params.channels] += db;
}`,
    }),
    bindings: { weight, bias, dy, into },
    params: { items: images * channels, channels, row: into.shape[1] ?? 0, start },
    workgroups: flatGrid(images * channels, STREAM_WORKGROUP),
  });
}
