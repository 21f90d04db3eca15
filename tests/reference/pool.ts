/**
 * Pooling and upsampling of `[N, H, W, C]` images by naive loops in f64.
 *
 * @module
 */

type Image = readonly [n: number, h: number, w: number, c: number];

interface Window {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/** Shape of the pooled image. */
export function pooledShape([n, h, w, c]: Image, { kernel, stride, padding }: Window): number[] {
  const out = (size: number, axis: 0 | 1) =>
    Math.floor((size + 2 * padding[axis] - kernel[axis]) / stride[axis]) + 1;
  return [n, out(h, 0), out(w, 1), c];
}

/** `f(values inside the image, pixels inside the padded image)` of each window. */
export function poolReference(
  shape: Image,
  x: ArrayLike<number>,
  window: Window,
  f: (values: number[], padded: number) => number,
): Float64Array {
  const [n, h, w, c] = shape;
  const { kernel, stride, padding } = window;
  const [, oh, ow] = pooledShape(shape, window) as [number, number, number, number];
  const y: number[] = [];
  for (let b = 0; b < n; b++) {
    for (let oy = 0; oy < oh; oy++) {
      for (let ox = 0; ox < ow; ox++) {
        for (let channel = 0; channel < c; channel++) {
          const values: number[] = [];
          let padded = 0;
          for (let ky = 0; ky < kernel[0]; ky++) {
            for (let kx = 0; kx < kernel[1]; kx++) {
              const iy = oy * stride[0] - padding[0] + ky;
              const ix = ox * stride[1] - padding[1] + kx;
              if (iy < h + padding[0] && ix < w + padding[1]) padded++;
              if (iy >= 0 && iy < h && ix >= 0 && ix < w) {
                values.push(x[((b * h + iy) * w + ix) * c + channel]!);
              }
            }
          }
          y.push(f(values, padded));
        }
      }
    }
  }
  return Float64Array.from(y);
}

/** Nearest-neighbour upsampling by two. */
export function upsampleReference([n, h, w, c]: Image, x: ArrayLike<number>): Float64Array {
  const y = new Float64Array(4 * n * h * w * c);
  let i = 0;
  for (let b = 0; b < n; b++) {
    for (let oy = 0; oy < 2 * h; oy++) {
      for (let ox = 0; ox < 2 * w; ox++) {
        for (let channel = 0; channel < c; channel++) {
          y[i++] = x[((b * h + (oy >> 1)) * w + (ox >> 1)) * c + channel]!;
        }
      }
    }
  }
  return y;
}
