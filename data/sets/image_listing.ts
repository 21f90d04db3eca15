/**
 * What places with image files have in common, folders and archives.
 *
 * @module
 */
import { counted } from "../../support/terminal.ts";
import { shownName } from "./image_names.ts";

/** Largest file of an image, in bytes. */
export const MAX_IMAGE_BYTES = 1 << 28;

/** A file of a place: its bytes, or why there are none. */
export interface PlacedFile {
  readonly name: string;
  readonly read: () => Uint8Array;
}

/** What is in a place. */
export interface Listing {
  /** Names of all files, with "/" between folders. */
  readonly names: readonly string[];
  /** Folders that cannot be opened, and why. */
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
  /** What a person should know, a line each. */
  readonly remarks: readonly string[];
}

/** A place with files. */
export interface ImagePlace {
  /** Where it is, absolute. */
  readonly path: string;
  /** Whether to read some files takes as long as to read all. */
  readonly isPacked: boolean;
  /** Changes when the place does. */
  readonly fingerprint: string;
  /** What is there. */
  readonly list: () => Promise<Listing>;
  /** The files of these names, in any order. */
  readonly files: (names: ReadonlySet<string>) => AsyncIterable<PlacedFile>;
  /** A file's name for a person. */
  readonly show: (name: string) => string;
}

/** Counts what is passed over, with one of each kind for an example. */
export class Remarks {
  readonly #notes = new Map<
    string,
    { count: number; thing: string; what: string; first: string }
  >();

  /**
   * @param thing One of them, as "link".
   * @param what What they do, whether one or many: "leading nowhere".
   */
  note(thing: string, what: string, name: string): void {
    const key = `${thing} ${what}`, before = this.#notes.get(key);
    const { count = 0, first = name } = before ?? {};
    this.#notes.set(key, { count: count + 1, thing, what, first });
  }

  /** A line for each kind. */
  lines(): string[] {
    return Array.from(
      this.#notes.values(),
      ({ count, thing, what, first }) =>
        `Passed over: ${counted(count, thing)}${what && ` ${what}`}, as ${shownName(first)}`,
    );
  }
}

const MOST_REASONS = 3;

/**
 * A line on images that cannot be used, with one of each kind for an example, or none where all can.
 *
 * @param broken Their names and what is wrong with each.
 * @param count Images in all.
 */
export function remarkOnBroken(
  broken: readonly (readonly [name: string, why: string])[],
  count: number,
): string | null {
  if (broken.length === 0) return null;
  const kinds = [...Map.groupBy(broken, ([, why]) => why.replaceAll(/\d+/g, "#")).values()]
    .toSorted((a, b) => b.length - a.length);
  const start = `Passed over ${broken.length} of ${count} images that cannot be used`;
  if (kinds.length === 1) {
    const [[name, why]] = broken as [readonly [string, string]];
    return `${start}, as ${name}: ${why}`;
  }
  const shown = kinds.slice(0, MOST_REASONS).map((kind) =>
    `${kind.length} as ${kind[0]![0]}: ${kind[0]![1]}`
  );
  const rest = kinds.slice(MOST_REASONS).reduce((sum, { length }) => sum + length, 0);
  return `${start}: ${[...shown, ...(rest > 0 ? [counted(rest, "other")] : [])].join("; ")}`;
}
