/**
 * Pictures in an LMDB database, a value each, which stay in it: as of LSUN.
 *
 * @module
 */
import { Lmdb, type LmdbEntry } from "../../formats/lmdb.ts";
import { fileError } from "../../support/files.ts";
import { readingOf } from "../fetching/read_file.ts";
import { type ImagePlace, MAX_IMAGE_BYTES } from "./image_listing.ts";

/** Whether a file begins as a database does: a meta page, and its magic number. */
export function isLmdb(head: Uint8Array): boolean {
  return head[10] === 8 && [0xde, 0xc0, 0xef, 0xbe].every((byte, i) => head[16 + i] === byte);
}

/** The file of a database in a folder. */
export const LMDB_NAME = /(^|\/)data\.mdb$/;

/** The values of a database, by names that are made of their keys. */
export function lmdbFiles(path: string): Pick<ImagePlace, "list" | "files"> {
  let known: Promise<Map<string, LmdbEntry>> | null = null;
  const index = () => known ??= readingOf(path, () => indexOf(path));
  return {
    list: async () => ({ names: [...(await index()).keys()], unreadable: [], remarks: [] }),
    files: async function* (wanted) {
      const entries = await index();
      using file = openAt(path);
      for (const name of wanted) {
        const entry = entries.get(name);
        if (!entry) continue;
        const { at, length } = entry;
        yield {
          name,
          read: () => {
            if (length <= MAX_IMAGE_BYTES) return file.read(at, length);
            throw new RangeError(
              `the value must have at most ${MAX_IMAGE_BYTES} bytes, got ${length}`,
            );
          },
        };
      }
    },
  };
}

function indexOf(path: string): Map<string, LmdbEntry> {
  using file = openAt(path);
  const names = new Map<string, LmdbEntry>();
  for (const entry of Lmdb.open(file.bytes, file.read).entries()) {
    names.set(`${nameOf(entry.key)}.webp`, entry);
  }
  return names;
}

/** A key as a name: its text, or in hex what is none. */
function nameOf(key: Uint8Array): string {
  const text = new TextDecoder().decode(key);
  return /^[\w-][\w.-]*$/.test(text) ? text : key.toHex();
}

/** A file whose bytes are read anywhere. */
function openAt(path: string) {
  try {
    const file = Deno.openSync(path), bytes = file.statSync().size;
    return {
      bytes,
      read: (at: number, length: number): Uint8Array => {
        const into = new Uint8Array(length);
        file.seekSync(at, Deno.SeekMode.Start);
        for (let filled = 0; filled < length;) {
          const read = file.readSync(into.subarray(filled));
          if (read === null) {
            throw new SyntaxError(
              `Cannot read ${path}: it must have ${length} bytes at byte ${at}, it ends before`,
            );
          }
          filled += read;
        }
        return into;
      },
      [Symbol.dispose]: () => file.close(),
    };
  } catch (error) {
    throw fileError("read", path, error);
  }
}
