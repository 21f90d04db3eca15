/**
 * The names of a table of records, in its order.
 *
 * @module
 */

/** At least one name, as lists of choices must have. */
export type Names<T> = readonly [keyof T & string, ...(keyof T & string)[]];

/** The names of `table`. */
export function namesOf<T extends object>(table: T): Names<T> {
  return Object.keys(table) as (keyof T & string)[] as unknown as Names<T>;
}
