/**
 * Image files in tar and zip archives, which stay packed.
 *
 * @module
 */
import { tarEntries } from "../../formats/tar.ts";
import { ZipArchive } from "../../formats/zip.ts";
import { readFileChecked } from "../../support/files.ts";
import { readingOf } from "../fetching/read_file.ts";
import { ArchiveTree } from "./archive_tree.ts";
import { type ImagePlace, MAX_IMAGE_BYTES, Remarks } from "./image_listing.ts";
import { shownName } from "./image_names.ts";

/** A zip archive is held in memory while it is read. */
const MAX_ZIP_BYTES = 2 ** 32 - 1;
/** The path that a link in a zip archive leads to. */
const MAX_TARGET_BYTES = 1 << 14;

type Content = Pick<ImagePlace, "list" | "files">;

/** What an archive has, as unpacking it would leave it. */
interface Index {
  /** Entries by the names of files. */
  readonly files: ReadonlyMap<string, number>;
  readonly remarks: readonly string[];
}

function indexOf(tree: ArchiveTree, remarks: Remarks, notUtf8: readonly string[]): Index {
  const files = tree.files();
  const { length, [0]: first = "" } = notUtf8;
  const names = length === 0 ? [] : [
    `${length} of the names are not in UTF-8, their letters may be others, as ${shownName(first)}`,
  ];
  return { files, remarks: [...remarks.lines(), ...names] };
}

/** The files of a tar archive. */
export function tarFiles(path: string): Content {
  const open = async () => (await Deno.open(path)).readable;
  let index: Promise<Index> | null = null;
  const indexed = () => index ??= readingOf(path, async () => indexTar(await open()));
  return {
    list: async () => {
      const { files, remarks } = await indexed();
      return { names: [...files.keys()], unreadable: [], remarks };
    },
    files: async function* (wanted) {
      const { files } = await indexed();
      const named = namesByEntry(files, wanted);
      const entries = tarEntries(await open(), {
        accept: (_, entry) => named.has(entry),
        maxFileBytes: MAX_IMAGE_BYTES,
      });
      try {
        for (;;) {
          const { done, value } = await readingOf(path, () => entries.next());
          if (done) break;
          const { index, bytes } = value;
          if (bytes) {
            for (const name of named.get(index) ?? []) {
              yield {
                name,
                read: () => bytes,
              };
            }
          }
        }
      } finally {
        await entries.return(undefined);
      }
    },
  };
}

async function indexTar(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Index> {
  const remarks = new Remarks(), tree = new ArchiveTree(remarks);
  const notUtf8: string[] = [];
  for await (const entry of tarEntries(stream, { accept: () => false })) {
    const { name, isUtf8, kind, target, index } = entry;
    if (!isUtf8) notUtf8.push(name);
    if (kind === "file") tree.addFile(name, index);
    else if (kind === "folder") tree.addFolder(name);
    else if (kind === "hard link") tree.addHardLink(name, target);
    else if (kind === "symbolic link") tree.addSymbolicLink(name, target);
    else remarks.note("entry", "of a device, a pipe or a sparse file", name);
  }
  return indexOf(tree, remarks, notUtf8);
}

/** Names that share an entry's bytes are read together. */
function namesByEntry(
  files: ReadonlyMap<string, number>,
  wanted: ReadonlySet<string>,
): Map<number, string[]> {
  const named = new Map<number, string[]>();
  for (const name of wanted) {
    const entry = files.get(name);
    if (entry === undefined) continue;
    const names = named.get(entry);
    if (names) names.push(name);
    else named.set(entry, [name]);
  }
  return named;
}

/** The files of a zip archive. */
export function zipFiles(path: string): Content {
  const open = async () => {
    const bytes = await readFileChecked(path, MAX_ZIP_BYTES);
    return await readingOf(path, () => {
      const archive = ZipArchive.open(bytes, { repeats: true });
      return { archive, index: indexZip(archive) };
    });
  };
  return {
    list: async () => {
      const { index: { files, remarks } } = await open();
      return { names: [...files.keys()], unreadable: [], remarks };
    },
    files: async function* (wanted) {
      const { archive, index: { files } } = await open();
      for (const [entry, names] of namesByEntry(files, wanted)) {
        for (const name of names) {
          yield {
            name,
            read: () => archive.readEntry(archive.all[entry]!),
          };
        }
      }
    },
  };
}

function indexZip(archive: ZipArchive): Index {
  const remarks = new Remarks(), tree = new ArchiveTree(remarks);
  const notUtf8: string[] = [];
  for (const [i, entry] of archive.all.entries()) {
    const { name, isUtf8, isLink, size } = entry;
    if (!isUtf8) notUtf8.push(name);
    if (/[\\/]$/.test(name)) tree.addFolder(name);
    else if (!isLink) tree.addFile(name, i);
    else if (size > MAX_TARGET_BYTES) remarks.note("link", "leading nowhere", name);
    else tree.addSymbolicLink(name, new TextDecoder().decode(archive.readEntry(entry)));
  }
  return indexOf(tree, remarks, notUtf8);
}
