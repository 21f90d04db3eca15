/**
 * Batch normalisation with given statistics, in f64.
 *
 * @module
 */

/** `[x, weight, bias, mean, variance]`, x `[..., C]` and the others `[C]`, to `[..., C]`. */
export function batchNormReference(
  [x, weight, bias, mean, variance]: readonly ArrayLike<number>[],
  eps: number,
): Float64Array {
  const channels = weight!.length;
  return Float64Array.from(x!, (value, i) => {
    const c = i % channels;
    return (value - mean![c]!) / Math.sqrt(variance![c]! + eps) * weight![c]! + bias![c]!;
  });
}
