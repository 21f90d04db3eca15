/** Naive f64 softmax of `scale x` over rows of `length` elements. */
export function softmaxReference(x: ArrayLike<number>, length: number, scale = 1): Float64Array {
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += length) {
    const values = Array.from({ length }, (_, i) => scale * x[row + i]!);
    const top = Math.max(...values);
    const total = values.reduce((sum, v) => sum + Math.exp(v - top), 0);
    values.forEach((v, i) => y[row + i] = Math.exp(v - top) / total);
  }
  return y;
}

/** Naive f64 gradient of {@linkcode softmaxReference} with respect to `x`, from its output. */
export function softmaxGradReference(
  y: ArrayLike<number>,
  dy: ArrayLike<number>,
  length: number,
  scale = 1,
): Float64Array {
  return Float64Array.from(y, (value, i) => {
    const row = i - i % length;
    let dot = 0;
    for (let j = row; j < row + length; j++) dot += y[j]! * dy[j]!;
    return scale * value * (dy[i]! - dot);
  });
}
