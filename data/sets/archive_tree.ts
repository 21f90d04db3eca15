/**
 * The folders of an archive as unpacking it would leave them, of its entries alone: links are followed
 * inside the archive and nowhere else.
 *
 * @module
 */
import type { Remarks } from "./image_listing.ts";

/** A file, by its entry's place in the archive. */
interface File {
  readonly entry: number;
}

/** A link that is followed when all entries are there. */
interface Link {
  readonly target: readonly string[];
  /** Whether the target is told from the root; otherwise from the link's own folder. */
  readonly fromRoot: boolean;
}

class Folder {
  readonly children = new Map<string, Node>();

  constructor(readonly parent: Folder | null) {}
}

type Node = File | Link | Folder;
type Lost = "nowhere" | "outside" | "circle";

const MAX_HOPS = 40;
/** Folders in one another. */
const MAX_DEPTH = 256;
/**
 * Links to folders that hold links to folders could name a few files without end: so many names an
 * entry, and some more.
 */
const MAX_NAMES_AN_ENTRY = 16, MORE_NAMES = 1 << 16;

const REMARKS = {
  nowhere: "leading nowhere",
  outside: "leading out of the archive",
  circle: "leading in a circle",
} as const;

/** An archive's entries by where they lie. */
export class ArchiveTree {
  readonly #root = new Folder(null);
  #entries = 0;
  #visits = 0;

  /** @param remarks Where it is noted what is not as it seems. */
  constructor(private readonly remarks: Remarks) {}

  /** A file; it replaces one that came before it. */
  addFile(name: string, entry: number): void {
    const path = pathOf(name);
    const place = this.#placeOf(path, name);
    if (!place) return;
    const { folder, last } = place;
    const before = folder.children.get(last);
    if (before instanceof Folder) return this.remarks.note("file", "of the name of a folder", name);
    if (before) this.remarks.note("file", "of a name that comes again later", name);
    folder.children.set(last, { entry });
  }

  /** A folder, which may have nothing in it. */
  addFolder(name: string): void {
    const path = pathOf(name);
    if (path.length > 0) this.#placeOf([...path, ""], name);
  }

  /** Another name of a file: of what has the target's name now, or, where nothing has, in the end. */
  addHardLink(name: string, target: string): void {
    const path = pathOf(target);
    const found = follow(this.#root, path);
    this.#addLink(name, isFile(found) ? found : { target: path, fromRoot: true });
  }

  /** A link to a file or a folder. */
  addSymbolicLink(name: string, target: string): void {
    if (/^([\\/]|[A-Za-z]:)/.test(target)) return this.remarks.note("link", REMARKS.outside, name);
    this.#addLink(name, { target: stepsOf(target), fromRoot: false });
  }

  /**
   * The names of all files, and the entries that hold their bytes.
   *
   * @throws RangeError when links make far more of them than there are entries.
   */
  files(): Map<string, number> {
    const files = new Map<string, number>();
    this.#collect(this.#root, "", [this.#root], files);
    return files;
  }

  #addLink(name: string, node: File | Link): void {
    const place = this.#placeOf(pathOf(name), name);
    if (!place) return;
    const { folder, last } = place;
    const before = folder.children.get(last);
    if (before === node) return;
    if (before instanceof Folder) return this.remarks.note("link", "of the name of a folder", name);
    if (before) this.remarks.note("file", "of a name that comes again later", name);
    folder.children.set(last, node);
  }

  /** The folder that an entry lies in, made as needed. */
  #placeOf(path: readonly string[], name: string): { folder: Folder; last: string } | null {
    this.#entries++;
    if (path.length === 0 || path.length > MAX_DEPTH) {
      this.remarks.note(
        "file",
        path.length === 0 ? "without a name" : "lying in too many folders",
        name,
      );
      return null;
    }
    let folder = this.#root;
    for (const part of path.slice(0, -1)) {
      let inner = folder.children.get(part);
      if (inner && "target" in inner) {
        const found = follow(inner.fromRoot ? this.#root : folder, inner.target);
        if (found instanceof Folder) inner = found;
      }
      if (!(inner instanceof Folder)) {
        if (inner) this.remarks.note("file", "of the name of a folder", name);
        folder.children.set(part, inner = new Folder(folder));
      }
      folder = inner as Folder;
    }
    return { folder, last: path.at(-1)! };
  }

  #collect(
    folder: Folder,
    prefix: string,
    above: readonly Folder[],
    files: Map<string, number>,
  ): void {
    for (const [part, child] of folder.children) {
      const name = `${prefix}${part}`;
      let found: Node | Lost = child;
      if ("target" in child) found = follow(child.fromRoot ? this.#root : folder, child.target);
      if (++this.#visits > MAX_NAMES_AN_ENTRY * this.#entries + MORE_NAMES) {
        throw new RangeError(
          `Cannot list the archive: its ${this.#entries} entries must have fewer names than ` +
            `${this.#visits}; links to folders in linked folders make more and more`,
        );
      }
      if (isFile(found)) {
        files.set(name, found.entry);
      } else if (!(found instanceof Folder)) {
        this.remarks.note("link", REMARKS[found as Lost], name);
      } else if (above.length > MAX_DEPTH) {
        this.remarks.note("folder", "lying in too many folders", name);
      } else if (above.includes(found)) {
        this.remarks.note("link", "leading back to a folder above", name);
      } else {
        this.#collect(found, `${name}/`, [...above, found], files);
      }
    }
  }
}

function isFile(node: Node | Lost): node is File {
  return typeof node === "object" && "entry" in node;
}

/** What a path leads to, links on the way followed. */
function follow(from: Folder, path: readonly string[]): File | Folder | Lost {
  const root = rootOf(from);
  let at: File | Folder = from, hops = 0;
  const left = path.toReversed();
  while (left.length > 0) {
    const step = left.pop()!;
    if (!(at instanceof Folder)) return "nowhere";
    if (step === "..") {
      if (!at.parent) return "outside";
      at = at.parent;
      continue;
    }
    const child: Node | undefined = at.children.get(step);
    if (!child) return "nowhere";
    if (!("target" in child)) {
      at = child;
      continue;
    }
    if (++hops > MAX_HOPS) return "circle";
    if (child.fromRoot) at = root;
    left.push(...child.target.toReversed());
  }
  return at;
}

function rootOf(folder: Folder): Folder {
  let root = folder;
  while (root.parent) root = root.parent;
  return root;
}

/** Steps of a path; Windows writes "\". */
function stepsOf(path: string): string[] {
  return path.split(/[\\/]/).filter((part) => part !== "" && part !== ".");
}

/** Folders and name of an entry. No name leads out of the archive: what is above its root is left out. */
function pathOf(name: string): string[] {
  const path: string[] = [];
  for (const step of stepsOf(name)) {
    if (step === "..") path.pop();
    else path.push(step);
  }
  return path;
}
