/**
 * The clean image of a network of two outputs, which gives the noise e, the image z and two weights a
 * pixel, w and w' (after Benny and Wolf 2022, arXiv 2203.04304; the form is that of lucidrains'
 * `WeightedObjectiveGaussianDiffusion`). With a and b the shares of x and of the noise in the image:
 *
 *     p = s(w - w'),   s(x) = 1 / (1 + exp(-x))           softmax of both weights
 *     h = a x + b e, within -most and most
 *     y = p h + (1 - p) z
 *
 *     de = p b dy and dx = p a dy where h is not limited, else 0
 *     dz = (1 - p) dy
 *     dw = -dw' = p (1 - p) sum over channels of (h - z) dy
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Channels of such a network for images of `channels`: noise, image and two weights. */
export function dualChannels(channels: number): number {
  return 2 * channels + 2;
}

/** What the image is made of, f32. */
export interface DualTensors {
  /** The network's output `[N, ..., 2 C + 2]`: noise, image, their weights. */
  readonly f: TensorRef;
  /** Noisy images `[N, ..., C]`. */
  readonly x: TensorRef;
  /** Shares of x and of the noise in the image, a and b, `[N, 2]`. */
  readonly shares: TensorRef;
}

/** Largest f32: no limit. */
const NO_LIMIT = (2 - 2 ** -23) * 2 ** 127;

const COMMON = `${FLAT_INDEX}
// exp(-x) may overflow to infinity, which gives the right 0.
fn share(apart: f32) -> f32 { return 1.0 / (1.0 + exp(-apart)); }

fn byNoise(x: f32, e: f32, n: u32) -> f32 { return shares[2u * n] * x + shares[2u * n + 1u] * e; }
`;

/** WGSL: an invocation a pixel: its sample, its places in f and in x, and p. */
const MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pixel = flatInvocation(global, groups);
  if (pixel >= params.pixels) { return; }
  let n = pixel / params.area;
  let channels = params.channels;
  let at = pixel * (2u * channels + 2u);
  let to = pixel * channels;
  let apart = f[at + 2u * channels] - f[at + 2u * channels + 1u];
  let p = share(apart);`;

const BODIES = {
  dualOutput: `
  for (var c = 0u; c < channels; c++) {
    let h = clamp(byNoise(x[to + c], f[at + c], n), -params.most, params.most);
    result[to + c] = p * h + share(-apart) * f[at + channels + c];
  }`,
  dualOutputBackward: `
  let rest = share(-apart);
  var sum = 0.0;
  for (var c = 0u; c < channels; c++) {
    let free = byNoise(x[to + c], f[at + c], n);
    let h = clamp(free, -params.most, params.most);
    let up = dy[to + c];
    sum += (h - f[at + channels + c]) * up;
    result[at + c] = select(0.0, p * shares[2u * n + 1u] * up, abs(free) <= params.most);
    result[at + channels + c] = rest * up;
  }
  let slope = p * rest * sum;
  result[at + 2u * channels] = slope;
  result[at + 2u * channels + 1u] = -slope;`,
  dualInputBackward: `
  for (var c = 0u; c < channels; c++) {
    let free = byNoise(x[to + c], f[at + c], n);
    result[to + c] = select(0.0, p * shares[2u * n] * dy[to + c], abs(free) <= params.most);
  }`,
} as const;

/**
 * The image y, `[N, ..., C]`.
 *
 * @param most Limit of what the noise implies, above 0; null for none.
 * @throws {RangeError} When shapes do not fit.
 */
export function dualForward(
  capture: Capture,
  tensors: DualTensors,
  most: number | null,
): TensorRef {
  return dispatched(capture, "dualOutput", tensors, { most, shape: tensors.x.shape });
}

/** Gradient with respect to the network's output, from `dy` of the shape of the image. */
export function dualBackward(
  capture: Capture,
  tensors: DualTensors,
  dy: TensorRef,
  most: number | null,
): TensorRef {
  const { shape } = tensors.f;
  return dispatched(capture, "dualOutputBackward", { ...tensors, dy }, { most, shape });
}

/** Gradient with respect to the noisy images. */
export function dualInputBackward(
  capture: Capture,
  tensors: DualTensors,
  dy: TensorRef,
  most: number | null,
): TensorRef {
  const { shape } = tensors.x;
  return dispatched(capture, "dualInputBackward", { ...tensors, dy }, { most, shape });
}

function dispatched(
  capture: Capture,
  name: keyof typeof BODIES,
  bindings: DualTensors & { readonly dy?: TensorRef },
  { most, shape }: { readonly most: number | null; readonly shape: readonly number[] },
): TensorRef {
  checkShapes(bindings);
  const { x } = bindings, [n = 0] = x.shape, channels = x.shape.at(-1)!;
  const pixels = sizeOf(x.shape) / channels, type = full(1);
  const result = capture.transient(shape, name);
  capture.dispatch({
    kernel: defineKernel({
      name,
      bindings: {
        ...Object.fromEntries(
          Object.keys(bindings).map((key) => [key, { type, access: "read" as const }]),
        ),
        result: { type, access: "write" as const },
      },
      params: { pixels: "u32", area: "u32", channels: "u32", most: "f32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${COMMON}${MAIN}${BODIES[name]}\n}`,
    }),
    bindings: { ...bindings, result },
    params: { pixels, area: pixels / n, channels, most: most ?? NO_LIMIT },
    workgroups: flatGrid(pixels, STREAM_WORKGROUP),
  });
  return result;
}

function checkShapes({ f, x, shares }: DualTensors): void {
  const [n = 0] = x.shape, channels = x.shape.at(-1) ?? 0;
  const wanted = [...x.shape.slice(0, -1), dualChannels(channels)];
  if (formatShape(f.shape) === formatShape(wanted) && formatShape(shares.shape) === `[${n}, 2]`) {
    return;
  }
  throw new RangeError(
    `Cannot read two outputs: for images ${formatShape(x.shape)} the network must give ${
      formatShape(wanted)
    } and shares be [${n}, 2], got ${formatShape(f.shape)} and ${formatShape(shares.shape)}`,
  );
}
