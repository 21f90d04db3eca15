/**
 * What a pickle may hold, as data, and what its reader asks the caller.
 *
 * @module
 */

/** A tuple; lists are plain arrays. */
export class PickleTuple<X extends object> {
  constructor(readonly items: readonly PickleValue<X>[]) {}
}

/** A reference to something in a Python module, by name alone. */
export class PickleGlobal {
  /** @param name Dotted, module first: "collections.OrderedDict". */
  constructor(readonly name: string) {}
}

/**
 * An object of a class that the reader doesn't know: its name and what it was given. Nothing of it was
 * imported, called or set.
 */
export class PickleMark<X extends object> {
  /** What it was filled with as a dict is. */
  items: PickleDict<X> | undefined;
  /** What it was filled with as a list or set is. */
  elements: PickleValue<X>[] | undefined;
  /** Its attributes, as it would have been given them. */
  state: PickleValue<X> | undefined;

  /** @param name Dotted, module first: "argparse.Namespace". */
  constructor(readonly name: string, readonly args: readonly PickleValue<X>[] = []) {}
}

/** What a dict may be keyed by. */
export type PickleKey = string | number | bigint;

/** A dict in its order of insertion. */
export class PickleDict<X extends object> extends Map<PickleKey, PickleValue<X>> {}

/** A value in a pickle; X are the objects that the caller makes. */
export type PickleValue<X extends object> =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleTuple<X>
  | PickleValue<X>[]
  | PickleDict<X>
  | PickleGlobal
  | PickleMark<X>
  | X;

/** What the pickles of one kind of file may refer to and build. */
export interface PickleHost<X extends object> {
  /** Whether a dotted name may be referred to at all. */
  allows(name: string): boolean;
  /** What the named constructor makes of its arguments; throws when it is none. */
  build(name: string, args: readonly PickleValue<X>[]): PickleValue<X>;
  /** What a persistent id stands for. */
  persistent(id: PickleValue<X>): PickleValue<X>;
  /** What a string of Python 2 is, which may be text or bytes. Text in Latin-1 unless given. */
  legacyString?(bytes: Uint8Array): string | Uint8Array;
  /**
   * Given by hosts for whose files objects of foreign classes are no reason to refuse them: their
   * `build` is asked for any object then, and this one stands for a set.
   */
  mark?(name: string, args: readonly PickleValue<X>[]): PickleMark<X>;
  /** Gives an object of the caller's its state; where it returns false, that is refused. */
  setState?(target: PickleValue<X>, state: PickleValue<X>): boolean;
}

/** Keys that are no names or numbers are told in at most so many characters. */
const LONGEST_KEY = 256;

/** What to call a key that is no name or number: `None`, `(1, 2)`, `enum.Color(1)`. */
export function keyText<X extends object>(key: PickleValue<X>): string {
  return written(key, 0).slice(0, LONGEST_KEY);
}

function written<X extends object>(value: PickleValue<X>, depth: number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return value.slice(0, LONGEST_KEY);
  if (typeof value !== "object") return `${value}`;
  if (value instanceof PickleGlobal) return value.name;
  const items = value instanceof PickleTuple
    ? value.items
    : value instanceof PickleMark
    ? value.args
    : [];
  const inner = depth > 2
    ? "..."
    : items.slice(0, 8).map((item) => written(item, depth + 1)).join(", ");
  return `${value instanceof PickleMark ? value.name : ""}(${inner})`;
}
