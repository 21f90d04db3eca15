/**
 * Batches of images from packed bytes on the GPU: gather, flip and scale to [-1, 1] in one pass.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full, type VectorType } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Set in an index, it mirrors the image left to right. */
export const FLIP_BIT = 0x80000000;

/** Sizes of an image. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Bytes from one image to the next; those of an image unless given. */
  readonly rowBytes?: number;
  /**
   * u32 `[B, 2]`: bytes of a line of the whole image and its first byte in the batch, of images that are cut
   * out of larger ones; the whole image unless given.
   */
  readonly crops?: TensorRef | undefined;
  /** Images in each tensor but the last, where there are several. */
  readonly imagesPerChunk?: number;
}

/**
 * Packs bytes into words, the first byte lowest, whatever the host's byte order.
 *
 * @returns As many words as hold the bytes; the last is filled up with zeros.
 */
export function packBytes(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  for (let i = 0; i < bytes.length; i++) words[i >> 2]! |= bytes[i]! << (8 * (i & 3));
  return words;
}

/**
 * Images `[B, H, W, C]` in f32, (x / 255 - 0.5) / 0.5 of each byte, as torchvision's ToTensor and
 * Normalize(0.5, 0.5).
 *
 * @param images Bytes of all images one after another, `[n, H, W, C]`, in words of
 *   {@linkcode packBytes}. Several tensors where one binding is too short: each starts with a whole
 *   image, and all but the last hold `imagesPerChunk`.
 * @param indices u32 `[B]`: the image, plus {@linkcode FLIP_BIT} to mirror it. An index beyond the
 *   last image leaves its place in the batch undefined.
 * @throws {RangeError} When a tensor is shorter than its images or `imagesPerChunk` is missing.
 */
export function gatherImages(
  capture: Capture,
  images: TensorRef | readonly TensorRef[],
  indices: TensorRef,
  { height, width, channels, rowBytes, crops, imagesPerChunk }: ImageShape,
): TensorRef {
  const chunks = Array.isArray(images) ? images as readonly TensorRef[] : [images as TensorRef];
  const length = height * width * channels, stride = rowBytes ?? length;
  if (stride < length) {
    throw new RangeError(
      `Cannot gather images: rowBytes must be at least ${length}, the bytes of an image, got ${stride}`,
    );
  }
  if (chunks.length > 1 && imagesPerChunk === undefined) {
    throw new RangeError(
      `Cannot gather images: imagesPerChunk must be given for ${chunks.length} tensors of images`,
    );
  }
  const batch = sizeOf(indices.shape);
  const packed = length % 4 === 0;
  const type = full(packed ? 4 : 1);
  const items = batch * length / (packed ? 4 : 1);
  const result = capture.transient([batch, height, width, channels], "images");
  chunks.forEach((chunk, i) => {
    const capacity = Math.floor(4 * sizeOf(chunk.shape) / stride);
    const count = i < chunks.length - 1 ? imagesPerChunk! : capacity;
    if (count < 1 || count > capacity) {
      throw new RangeError(
        `Cannot gather images: tensor ${i} must hold at least ${
          Math.max(1, count)
        } images of ${stride} bytes, got ${4 * sizeOf(chunk.shape)} bytes`,
      );
    }
    capture.dispatch({
      kernel: gatherKernel(type, crops !== undefined),
      bindings: { images: chunk, indices, ...crops && { crops }, result },
      bytes: { images: batch * length },
      params: {
        items,
        imageItems: items / batch,
        imageBytes: stride,
        rowBytes: width * channels,
        channels,
        first: i * (imagesPerChunk ?? 0),
        count,
      },
      workgroups: flatGrid(items, STREAM_WORKGROUP),
    });
  });
  return result;
}

function gatherKernel(type: VectorType, cropped: boolean) {
  const pixels = type === full(4)
    ? `vec4f(${[0, 1, 2, 3].map((i) => `load(origin, 4u * k + ${i}u)`).join(", ")})`
    : "load(origin, k)";
  const origin = cropped
    ? "Origin(base + crops[2u * row + 1u], crops[2u * row], flip)"
    : "Origin(base, params.rowBytes, flip)";
  const words: BindingSpec = { type: elementOf("u32", 1), access: "read" };
  const bindings: Record<string, BindingSpec> = {
    ...{ images: words, indices: words },
    ...cropped && { crops: words },
    result: { type, access: "write" },
  };
  return defineKernel({
    name: `gatherImages${cropped ? ".cropped" : ""}.${type}`,
    bindings,
    params: {
      items: "u32",
      imageItems: "u32",
      imageBytes: "u32",
      rowBytes: "u32",
      channels: "u32",
      first: "u32",
      count: "u32",
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
struct Origin { first: u32, lineBytes: u32, flip: bool }
fn load(origin: Origin, element: u32) -> f32 {
  var inRow = element % params.rowBytes;
  let line = element / params.rowBytes;
  if (origin.flip) {
    let channel = inRow % params.channels;
    inRow = (params.rowBytes - params.channels - (inRow - channel)) + channel;
  }
  let byte = origin.first + line * origin.lineBytes + inRow;
  return f32((images[byte >> 2u] >> (8u * (byte & 3u))) & 255u);
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let row = i / params.imageItems;
  let index = indices[row];
  let k = i % params.imageItems;
  let image = (index & 0x7fffffffu) - params.first;
  // An index below \`first\` wraps to a large number.
  if (image >= params.count) { return; }
  let base = image * params.imageBytes;
  let flip = (index >> 31u) == 1u;
  let origin = ${origin};
  result[i] = (${pixels} / 255.0 - 0.5) / 0.5;
}`,
  });
}
