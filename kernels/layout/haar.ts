/**
 * The Haar wavelet transform of every channel (Haar 1910; Mallat 1989), orthonormal, `levels` times over
 * the approximation, each coefficient times the weight of its band:
 *
 *     a_1 = (x00 + x01 + x10 + x11) / 2     the same with signs + - + -, + + - -, + - - + for details
 *
 * Coefficients lie where the image lay: approximations in the corner of rows and columns below
 * H / 2^levels and W / 2^levels, and around them the details of each level from the coarsest on, those
 * across columns right of it, those across rows below, those across both diagonally. A coefficient is
 * read off its block of pixels, so that any number of levels is one dispatch.
 *
 * With all weights 1 the backward transform, which is the gradient, is the inverse.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel, type Kernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** How often the sides can be halved, at most `most` times. */
export function haarLevels(height: number, width: number, most: number): number {
  let levels = 0;
  while (levels < most && height % 2 ** (levels + 1) === 0 && width % 2 ** (levels + 1) === 0) {
    levels++;
  }
  return levels;
}

const PLACE = `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let channel = i % params.channels;
  let pixel = i / params.channels;
  let col = pixel % params.width;
  let row = (pixel / params.width) % params.height;
  let plane = pixel / params.width / params.height * params.height;`;

// The finest level whose details hold the place; none: the approximation.
const forwardKernel = kernelOf(
  "haar",
  `${PLACE}
  var level = 0u;
  var band = 0u;
  for (var j = params.levels; j > 0u; j--) {
    let below = u32(row >= (params.height >> j));
    let right = u32(col >= (params.width >> j));
    let inside = row < (params.height >> (j - 1u)) && col < (params.width >> (j - 1u));
    if (inside && below + right > 0u) {
      level = j;
      band = 2u * below + right;
    }
  }
  let size = 1u << select(level, params.levels, level == 0u);
  let top = (row - select(0u, params.height / size, (band & 2u) != 0u)) * size;
  let left = (col - select(0u, params.width / size, (band & 1u) != 0u)) * size;
  var sum = 0.0;
  for (var y = 0u; y < size; y++) {
    var line = 0.0;
    for (var x = 0u; x < size; x++) {
      let value = source[((plane + top + y) * params.width + left + x) * params.channels + channel];
      line += select(value, -value, (band & 1u) != 0u && 2u * x >= size);
    }
    sum += select(line, -line, (band & 2u) != 0u && 2u * y >= size);
  }
  let weight = select(3u * (level - 1u) + band - 1u, 3u * params.levels, level == 0u);
  result[i] = weights[weight] * sum / f32(size);
}`,
);

const backwardKernel = kernelOf(
  "haarBackward",
  `${PLACE}
  var sum = 0.0;
  for (var j = params.levels + 1u; j > 0u; j--) {
    // The approximation first, as a band of its own, then details from the coarsest on.
    let level = min(j, params.levels);
    let size = 1u << level;
    let first = select(1u, 0u, j > params.levels);
    let end = select(4u, 1u, j > params.levels);
    for (var band = first; band < end; band++) {
      let y = row / size + select(0u, params.height / size, (band & 2u) != 0u);
      let x = col / size + select(0u, params.width / size, (band & 1u) != 0u);
      let down = (band & 2u) != 0u && 2u * (row % size) >= size;
      let right = (band & 1u) != 0u && 2u * (col % size) >= size;
      let weight = select(3u * (level - 1u) + band - 1u, 3u * params.levels, band == 0u);
      let value = weights[weight] *
        source[((plane + y) * params.width + x) * params.channels + channel] / f32(size);
      sum += select(value, -value, down != right);
    }
  }
  result[i] = sum;
}`,
);

function kernelOf(name: string, wgsl: string): Kernel {
  return defineKernel({
    name,
    bindings: {
      source: { type: full(1), access: "read" },
      weights: { type: full(1), access: "read" },
      result: { type: full(1), access: "write" },
    },
    params: { items: "u32", height: "u32", width: "u32", channels: "u32", levels: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl,
  });
}

/**
 * The weighted coefficients of images.
 *
 * @param x `[N, H, W, C]` with sides that are multiples of 2^levels.
 * @param weights f32 `[3 levels + 1]`: of each level, the finest first, those of details across columns,
 *   across rows and across both; then that of the approximation.
 * @returns The same shape.
 * @throws {RangeError} When the sides can't be halved so often.
 */
export function haarForward(capture: Capture, x: TensorRef, weights: TensorRef): TensorRef {
  return record(capture, forwardKernel, x, weights);
}

/** The gradient with respect to `x`, from the upstream gradient `dy` of the coefficients. */
export function haarBackward(capture: Capture, dy: TensorRef, weights: TensorRef): TensorRef {
  return record(capture, backwardKernel, dy, weights);
}

function record(
  capture: Capture,
  kernel: Kernel,
  source: TensorRef,
  weights: TensorRef,
): TensorRef {
  const [, height = 0, width = 0, channels = 0] = source.shape;
  const levels = (sizeOf(weights.shape) - 1) / 3;
  const fits = Number.isInteger(levels) && levels > 0 &&
    haarLevels(height, width, levels) === levels;
  if (source.shape.length !== 4 || !fits) {
    throw new RangeError(
      `Cannot take ${levels} levels of wavelets: the shape must be [N, H, W, C] with sides that can be ` +
        `halved so often, got ${formatShape(source.shape)}`,
    );
  }
  const result = capture.transient(source.shape, kernel.name, source.dtype),
    items = sizeOf(source.shape);
  capture.dispatch({
    kernel,
    bindings: { source, weights, result },
    params: { items, height, width, channels, levels },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
