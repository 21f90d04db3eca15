/** What the naive normalisation returns: the output and all gradients. */
export interface NormaliseResult {
  readonly y: Float64Array;
  readonly dx: Float64Array;
  readonly dweight: Float64Array;
  readonly dbias: Float64Array;
}

/** Input of {@linkcode normaliseReference}. */
export interface NormaliseCase {
  readonly x: ArrayLike<number>;
  readonly dy: ArrayLike<number>;
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly images: number;
  readonly pixels: number;
  readonly channels: number;
  readonly groups: number;
  readonly eps: number;
  readonly silu: boolean;
}

/**
 * Naive f64 group normalisation of `[images, pixels, channels]` and its gradients; with one pixel and
 * one group it is layer normalisation.
 */
export function normaliseReference(given: NormaliseCase): NormaliseResult {
  const { x, dy, weight, bias, images, pixels, channels, groups, eps, silu } = given;
  const y = new Float64Array(x.length), dx = new Float64Array(x.length);
  const dweight = new Float64Array(channels), dbias = new Float64Array(channels);
  for (let n = 0; n < images; n++) {
    for (let g = 0; g < groups; g++) {
      const members: { i: number; c: number }[] = [];
      for (let p = 0; p < pixels; p++) {
        for (let c = g * channels / groups; c < (g + 1) * channels / groups; c++) {
          members.push({ i: (n * pixels + p) * channels + c, c });
        }
      }
      const mean = members.reduce((sum, { i }) => sum + x[i]!, 0) / members.length;
      const variance = members.reduce((sum, { i }) => sum + (x[i]! - mean) ** 2, 0) /
        members.length;
      const rstd = 1 / Math.sqrt(variance + eps);
      const terms = members.map(({ i, c }) => {
        const xhat = (x[i]! - mean) * rstd;
        const z = xhat * weight[c]! + bias[c]!;
        const s = 1 / (1 + Math.exp(-z));
        y[i] = silu ? z * s : z;
        const dz = dy[i]! * (silu ? s * (1 + z * (1 - s)) : 1);
        dweight[c]! += dz * xhat;
        dbias[c]! += dz;
        return { i, xhat, dxhat: dz * weight[c]! };
      });
      const meanD = terms.reduce((sum, { dxhat }) => sum + dxhat, 0) / terms.length;
      const meanX = terms.reduce((sum, { dxhat, xhat }) => sum + dxhat * xhat, 0) / terms.length;
      for (const { i, xhat, dxhat } of terms) dx[i] = rstd * (dxhat - meanD - xhat * meanX);
    }
  }
  return { y, dx, dweight, dbias };
}
