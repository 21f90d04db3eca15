/**
 * What a metric is to whoever reads it.
 *
 * @module
 */

/** One number. */
export interface Metric {
  /** Key in JSON, such as "frechetDistance". */
  readonly key: string;
  /** What a person reads, such as "Frechet distance". */
  readonly label: string;
  /** The number itself. */
  readonly value: number;
  /** Spread, where there is one: a standard deviation or error. */
  readonly spread?: number;
  /** Which features the number was made with; null where it needs none. */
  readonly features: string | null;
  /** What a reader must know to compare it. */
  readonly note?: string;
  /** Whether smaller is better, larger is better, or 1 is best. */
  readonly better: "lower" | "higher";
  /** The same class by class, in the order of their numbers; null of those without images. */
  readonly byClass?: readonly (number | null)[];
}
