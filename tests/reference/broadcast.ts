/**
 * Broadcasting and reduction over axes, by naive loops in f64.
 *
 * @module
 */

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Coordinates of flat element `i` of `shape`. */
export function coordinates(shape: readonly number[], i: number): number[] {
  const at: number[] = [];
  for (const n of shape.toReversed()) {
    at.unshift(i % n);
    i = Math.floor(i / n);
  }
  return at;
}

/** Flat element of `shape` under coordinates of a shape that it broadcasts to. */
function flatIndex(shape: readonly number[], at: readonly number[]): number {
  const skip = at.length - shape.length;
  return shape.reduce((index, n, axis) => index * n + (n === 1 ? 0 : at[axis + skip]!), 0);
}

/** `f(a, b)` with both broadcast to `shape`. */
export function broadcastReference(
  shape: readonly number[],
  a: { shape: readonly number[]; values: ArrayLike<number> },
  b: { shape: readonly number[]; values: ArrayLike<number> },
  f: (a: number, b: number) => number,
): Float64Array {
  return Float64Array.from({ length: size(shape) }, (_, i) => {
    const at = coordinates(shape, i);
    return f(a.values[flatIndex(a.shape, at)]!, b.values[flatIndex(b.shape, at)]!);
  });
}

/** Sums of `values` `[shape]` over `axes`. */
export function sumReference(
  shape: readonly number[],
  values: ArrayLike<number>,
  axes: readonly number[],
): Float64Array {
  const kept = shape.map((n, axis) => axes.includes(axis) ? 1 : n);
  const sums = new Float64Array(size(kept));
  for (let i = 0; i < size(shape); i++) {
    sums[flatIndex(kept, coordinates(shape, i))]! += values[i]!;
  }
  return sums;
}
