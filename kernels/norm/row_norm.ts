/**
 * The WGSL of layer normalisation, whatever its affine part: bodies of kernels over rows
 * (kernels/shared/row_layout.ts), and how the sums of an affine part's gradient are cut.
 *
 * @module
 */
import type { RowLayout } from "../shared/row_layout.ts";

/** Rows of a partial sum of dweight and dbias, and the most such parts. */
const PART_ROWS = 32;
const MOST_PARTS = 256;

/** The parts in which sums over rows are taken. */
export function rowParts({ rows }: RowLayout): { partRows: number; count: number } {
  const partRows = Math.max(PART_ROWS, Math.ceil(rows / MOST_PARTS));
  return { partRows, count: Math.ceil(rows / partRows) };
}

/**
 * Statistics of a row, `rowMean` and `rowRstd`, which are also written, and then y, vector `i` of x for
 * vector. Two passes, the first relative to the row's first element, so that nothing cancels.
 *
 * @param y WGSL: the output of `xhat`.
 */
export function rowNormText({ width }: RowLayout, y: (xhat: string) => string): string {
  return `
  let length = f32(params.vectors * W);
  let pivot = x[min(first, (params.rows - 1u) * params.vectors)]${width === 4 ? ".x" : ""};
  var sum = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) { sum += x[i] - pivot; }
  let rowMean = pivot + rowSum(t, acrossSum(sum)) / length;
  var squares = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) {
    let d = x[i] - rowMean;
    squares += d * d;
  }
  let rowRstd = 1.0 / sqrt(rowSum(t, acrossSum(squares)) / length + params.eps);
  for (var i = first + lane; i < end; i += TEAM) { y[i] = ${y("(x[i] - rowMean) * rowRstd")}; }
  if (lane == 0u && row < params.rows) {
    mean[row] = rowMean;
    rstd[row] = rowRstd;
  }`;
}

/**
 * dx of a row from `mean` and `rstd`.
 *
 * @param weight WGSL: what vector `i` of `xhat` is multiplied by; knows `known`, a row that there is.
 */
export function rowNormGradientText(weight: string): string {
  return `
  let length = f32(params.vectors * W);
  let known = min(row, params.rows - 1u);
  let rowMean = mean[known];
  let rowRstd = rstd[known];
  var sumX = V(0.0);
  var sum = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) {
    let g = ${weight} * dy[i];
    sumX += g * ((x[i] - rowMean) * rowRstd);
    sum += g;
  }
  let meanX = rowSum(t, acrossSum(sumX)) / length;
  let meanG = rowSum(t, acrossSum(sum)) / length;
  for (var i = first + lane; i < end; i += TEAM) {
    let xhat = (x[i] - rowMean) * rowRstd;
    dx[i] = rowRstd * (${weight} * dy[i] - (meanG + xhat * meanX));
  }`;
}
