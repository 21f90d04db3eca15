/**
 * What the fuzzer must know of a kind of file.
 *
 * @module
 */
import type { Random } from "./mutate.ts";

/** What was read: as many elements as the shape says. */
export interface ReadArray {
  readonly shape: readonly number[];
  readonly data: { readonly length: number };
}

/** A whole file that mutations start from. */
export interface FuzzSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** How files of a kind are made and read. */
export interface FuzzFormat {
  /** Reads all of a file that matters. */
  readonly read: (bytes: Uint8Array) => Iterable<ReadArray> | AsyncIterable<ReadArray>;
  /** Whole files made here. */
  readonly made?: () => FuzzSeed[];
  /** Whole files in a folder: how their names end, and which of them are meant. */
  readonly recorded?: {
    readonly folder: "ckpt" | "formats" | "marks" | "pictures";
    readonly suffix: string;
    readonly accept?: (bytes: Uint8Array) => boolean;
  };
  /** Changes something and mends the lengths and checksums around it. */
  readonly mutateInside?: (bytes: Uint8Array, other: Uint8Array, random: Random) => Uint8Array;
}
