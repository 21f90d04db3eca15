/**
 * The 2-D discrete Fourier transform as two naive sums, in f64.
 *
 * @module
 */

/** Sizes of the images. */
export interface PlaneShape {
  readonly samples: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * sum x exp(-+ 2 pi i (ky y / H + kx x / W)), unscaled.
 *
 * @param x Interleaved complex `[N, H, W, C, 2]`, or real `[N, H, W, C]`.
 * @returns `[N, H, W, C, 2]`
 */
export function dft2(
  x: ArrayLike<number>,
  { samples, height, width, channels }: PlaneShape,
  inverse = false,
): Float64Array {
  const count = samples * height * width * channels;
  const real = x.length === count;
  let values = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    values[2 * i] = real ? x[i]! : x[2 * i]!;
    values[2 * i + 1] = real ? 0 : x[2 * i + 1]!;
  }
  values = alongAxis(values, width, channels, inverse);
  return alongAxis(values, height, width * channels, inverse);
}

function alongAxis(
  x: Float64Array<ArrayBuffer>,
  length: number,
  inner: number,
  inverse: boolean,
): Float64Array<ArrayBuffer> {
  const y = new Float64Array(x.length);
  const sign = inverse ? 1 : -1;
  const c = Array.from({ length }, (_, k) => Math.cos(2 * Math.PI * k / length));
  const s = Array.from({ length }, (_, k) => sign * Math.sin(2 * Math.PI * k / length));
  for (let start = 0; start < x.length / 2; start += length * inner) {
    for (let i = 0; i < inner; i++) {
      for (let k = 0; k < length; k++) {
        let re = 0, im = 0;
        for (let n = 0; n < length; n++) {
          const at = 2 * (start + n * inner + i), turn = (n * k) % length;
          re += x[at]! * c[turn]! - x[at + 1]! * s[turn]!;
          im += x[at]! * s[turn]! + x[at + 1]! * c[turn]!;
        }
        const to = 2 * (start + k * inner + i);
        y[to] = re;
        y[to + 1] = im;
      }
    }
  }
  return y;
}
