/**
 * Between PyTorch's layouts and the channels-last ones used here.
 *
 * @module
 */
import { permuteAxes } from "../../model/names/axes.ts";
import type { Recorded } from "./golden.ts";

/** A layout by how PyTorch's axes are taken: ours[i] = theirs[axes[i]]. */
export type Layout = readonly number[] | null;

/** Images `[N, C, H, W] <-> [N, H, W, C]`. */
export const IMAGE: Layout = [0, 2, 3, 1];
/** Channels behind the places of `rank` axes, `[N, C, ...] <-> [N, ..., C]`; null where there are none. */
export function channelsLast(rank: number): Layout {
  if (rank < 3) return null;
  return [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
}

/** Convolution weights `[O, I, kh, kw] <-> [kh, kw, I, O]`. */
export const CONV: Layout = [2, 3, 1, 0];
/** Linear weights `[out, in] <-> [in, out]`. */
export const LINEAR: Layout = [1, 0];
/** Attention heads `[B, heads, L, d] <-> [B, L, heads, d]`. */
export const HEADS: Layout = [0, 2, 1, 3];

/** Reorders a dense tensor: axis `i` of the result is axis `axes[i]` of the source. */
export function permute(
  data: ArrayLike<number>,
  shape: readonly number[],
  axes: readonly number[],
): { data: Float32Array<ArrayBuffer>; shape: number[] } {
  return { data: permuteAxes(data, shape, axes), shape: axes.map((axis) => shape[axis]!) };
}

/** A recorded tensor in our layout. */
export function fromTorch({ data, shape }: Recorded, layout: Layout) {
  return layout
    ? permute(data, shape, layout)
    : { data: Float32Array.from(data), shape: [...shape] };
}

/** Our values back in PyTorch's layout; `shape` is PyTorch's. */
export function toTorch(
  data: ArrayLike<number>,
  shape: readonly number[],
  layout: Layout,
): ArrayLike<number> {
  if (!layout) return data;
  const ours = layout.map((axis) => shape[axis]!);
  return permute(data, ours, layout.map((_, axis) => layout.indexOf(axis))).data;
}
