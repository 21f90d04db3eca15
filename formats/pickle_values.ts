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
  /** Gives an object of the caller's its state; where it returns false, that is refused. */
  setState?(target: PickleValue<X>, state: PickleValue<X>): boolean;
}
