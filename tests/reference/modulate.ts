/** Sizes of what is modulated, and first columns. */
export interface ModulateCase {
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  /** Columns of the matrix. */
  readonly columns: number;
}

/** Naive f64 `xhat (1 + scale) + shift` of `[images, tokens, channels]`. */
export function modulatedNormReference(
  x: ArrayLike<number>,
  m: ArrayLike<number>,
  { images, tokens, channels, columns }: ModulateCase,
  { shift, scale, eps }: { readonly shift: number; readonly scale: number; readonly eps: number },
): Float64Array {
  const y = new Float64Array(x.length);
  for (let row = 0; row < images * tokens; row++) {
    const own = Math.floor(row / tokens) * columns;
    const values = Array.from({ length: channels }, (_, c) => x[row * channels + c]!);
    const mean = values.reduce((sum, v) => sum + v, 0) / channels;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / channels;
    values.forEach((v, c) => {
      const xhat = (v - mean) / Math.sqrt(variance + eps);
      y[row * channels + c] = xhat * (1 + m[own + scale + c]!) + m[own + shift + c]!;
    });
  }
  return y;
}

/** Naive f64 `x + gate h`. */
export function gatedSumReference(
  x: ArrayLike<number>,
  h: ArrayLike<number>,
  m: ArrayLike<number>,
  { tokens, channels, columns }: ModulateCase,
  gate: number,
): Float64Array {
  return Float64Array.from(x, (value, i) => {
    const image = Math.floor(i / (tokens * channels));
    return value + m[image * columns + gate + i % channels]! * h[i]!;
  });
}
