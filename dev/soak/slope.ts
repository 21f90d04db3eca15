/**
 * Whether a series goes up: the slope of a straight line, and how sure it is.
 *
 * @module
 */

/** A reading. */
export interface Reading {
  readonly x: number;
  readonly y: number;
}

/** A least-squares line's slope. */
export interface Slope {
  /** y an x. */
  readonly slope: number;
  /** Its standard error. */
  readonly error: number;
  /** Points that the line was laid through. */
  readonly points: number;
}

/** Standard errors that chance may account for. */
const CHANCE = 2;

/** A slope that is let pass however sure it is: a page of 4 KiB in 500 steps. */
export const PAGE_SLOPE: number = 4096 / 500;

/** Whether resident bytes a step go up: by more than chance, and by more than pages can show. */
export function goesUp({ slope, error }: Slope): boolean {
  return slope > Math.max(CHANCE * error, PAGE_SLOPE);
}

/**
 * Slope of the least-squares line, with the standard error of independent errors of one variance.
 *
 * @throws {RangeError} When there are fewer than three points, or all at one x.
 */
export function leastSquares(points: readonly Reading[]): Slope {
  const n = points.length;
  const mean = (of: (point: Reading) => number) => points.reduce((sum, p) => sum + of(p), 0) / n;
  const x0 = mean(({ x }) => x), y0 = mean(({ y }) => y);
  const spread = points.reduce((sum, { x }) => sum + (x - x0) ** 2, 0);
  if (n < 3 || spread === 0) {
    throw new RangeError(`Cannot lay a line: there must be three places or more, got ${n}`);
  }
  const slope = points.reduce((sum, { x, y }) => sum + (x - x0) * (y - y0), 0) / spread;
  const rest = points.reduce((sum, { x, y }) => sum + (y - y0 - slope * (x - x0)) ** 2, 0);
  return { slope, error: Math.sqrt(rest / (n - 2) / spread), points: n };
}
