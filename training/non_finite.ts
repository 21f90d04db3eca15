/**
 * NaN and infinite values: how many, and the error that ends a run because of them.
 *
 * @module
 */

/** What {@linkcode inspectValues} saw. */
export interface ValueSummary {
  /** Values that are NaN or infinite. */
  readonly bad: number;
  /** Index of the first of them, -1 without any. */
  readonly first: number;
  /** Largest magnitude of the others. */
  readonly largest: number;
}

/** Counts what is not finite. */
export function inspectValues(values: ArrayLike<number>): ValueSummary {
  let bad = 0, first = -1, largest = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    // Not NaN and not infinite, in one comparison.
    if (magnitude <= Number.MAX_VALUE) {
      if (magnitude > largest) largest = magnitude;
    } else {
      if (bad === 0) first = i;
      bad++;
    }
  }
  return { bad, first, largest };
}

/** What can turn out not to be finite. */
export type NonFiniteKind = "loss" | "gradient norm" | "state";

/** Training met a value that is not finite. */
export class NonFiniteError extends Error {
  override name = "NonFiniteError";

  /**
   * @param kind What was seen first.
   * @param step The step that it was seen in, counted from 1; for the state, the last one that may
   *   have made it.
   */
  constructor(readonly kind: NonFiniteKind, readonly step: number, message: string) {
    super(message);
  }
}
