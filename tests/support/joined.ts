/**
 * Tensors that are two, one behind the other in memory; see `TensorRef.seam`.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { joinedAs, type TensorRef } from "../../device/tensor.ts";
import { upload } from "./gpu.ts";

/** Where each value of `[..., C]` is once the first `seam` of its channels lie ahead of the others. */
function places(count: number, channels: number, seam: number): Uint32Array {
  const rest = channels - seam, second = count / channels * seam;
  return Uint32Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / channels), k = i % channels;
    return k < seam ? row * seam + k : second + row * rest + k - seam;
  });
}

/** A tensor of `values`, joined at `seam`, or whole where there is none. */
export function uploadJoined(
  gpu: Gpu,
  shape: readonly number[],
  values: ArrayLike<number>,
  seam: number | undefined,
): TensorRef {
  if (seam === undefined) return upload(gpu, shape, values);
  const moved = new Float32Array(values.length);
  places(values.length, shape.at(-1)!, seam).forEach((at, i) => moved[at] = values[i]!);
  return joinedAs(upload(gpu, shape, moved), seam);
}

/** What a joined tensor holds, as one. */
export function asOne(
  values: ArrayLike<number>,
  channels: number,
  seam: number | undefined,
): Float32Array<ArrayBuffer> {
  if (seam === undefined) return Float32Array.from(values);
  return Float32Array.from(places(values.length, channels, seam), (at) => values[at]!);
}
