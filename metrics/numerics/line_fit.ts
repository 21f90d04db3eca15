/**
 * A straight line through points by least squares.
 *
 * @module
 */
import { studentQuantile } from "./statistics.ts";

/** y = intercept + slope x. */
export interface LineFit {
  readonly slope: number;
  readonly intercept: number;
  /** Standard error of the slope, from the points' distances to the line. */
  readonly error: number;
  /** Half the 95 % interval of the slope, by Student's t. */
  readonly halfWidth: number;
  readonly count: number;
}

/** The line; null of fewer than three points, or where all x are one. */
export function fitLine(x: readonly number[], y: readonly number[]): LineFit | null {
  const count = x.length;
  if (count < 3) return null;
  const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / count;
  const [centre, height] = [mean(x), mean(y)];
  let spread = 0, shared = 0;
  x.forEach((value, i) => {
    spread += (value - centre) ** 2;
    shared += (value - centre) * (y[i]! - height);
  });
  if (!(spread > 1e-12 * (1 + centre ** 2))) return null;
  const slope = shared / spread, intercept = height - slope * centre;
  const squares = x.reduce((sum, value, i) => sum + (y[i]! - intercept - slope * value) ** 2, 0);
  const error = Math.sqrt(squares / (count - 2) / spread);
  return { slope, intercept, error, halfWidth: studentQuantile(0.975, count - 2) * error, count };
}
