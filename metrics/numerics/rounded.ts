/**
 * Numbers for logs.
 *
 * @module
 */

/** A measured number with as many digits as anybody reads. */
export function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
