import type { Conv2dShape } from "../../kernels/conv2d/shape.ts";

/** Calls `visit` for every product of a convolution with the flat indices of x, weight and y. */
function eachTerm(
  s: Conv2dShape,
  visit: (x: number, weight: number, y: number) => void,
): void {
  for (let n = 0; n < s.n; n++) {
    for (let oy = 0; oy < s.oh; oy++) {
      for (let ox = 0; ox < s.ow; ox++) {
        for (let ky = 0; ky < s.kh; ky++) {
          for (let kx = 0; kx < s.kw; kx++) {
            const iy = oy * s.stride + ky - s.py, ix = ox * s.stride + kx - s.px;
            if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
            for (let ci = 0; ci < s.ci; ci++) {
              for (let co = 0; co < s.co; co++) {
                visit(
                  ((n * s.h + iy) * s.w + ix) * s.ci + ci,
                  ((ky * s.kw + kx) * s.ci + ci) * s.co + co,
                  ((n * s.oh + oy) * s.ow + ox) * s.co + co,
                );
              }
            }
          }
        }
      }
    }
  }
}

type Values = ArrayLike<number>;

/** Naive f64 convolution. */
export function conv2dReference(s: Conv2dShape, x: Values, weight: Values): Float64Array {
  const y = new Float64Array(s.n * s.oh * s.ow * s.co);
  eachTerm(s, (i, j, k) => y[k]! += x[i]! * weight[j]!);
  return y;
}

/** Naive f64 gradients of sum(conv(x, weight) * dy). */
export function conv2dGradReference(
  s: Conv2dShape,
  x: Values,
  weight: Values,
  dy: Values,
): { dx: Float64Array; dw: Float64Array; db: Float64Array } {
  const dx = new Float64Array(x.length), dw = new Float64Array(weight.length);
  eachTerm(s, (i, j, k) => {
    dx[i]! += weight[j]! * dy[k]!;
    dw[j]! += x[i]! * dy[k]!;
  });
  const db = new Float64Array(s.co);
  for (let i = 0; i < dy.length; i++) db[i % s.co]! += dy[i]!;
  return { dx, dw, db };
}
