/**
 * Reads the keys and values of LMDB databases (data.mdb), as LSUN is published in. Their layout is that
 * of liblmdb 0.9 (mdb.c) on 64-bit little-endian machines: pages of one size, two of them with the root
 * of a B+ tree, branches, leaves, and runs of pages with large values.
 *
 * Our own, beside npm's lmdb, which needs a native add-on.
 *
 * @module
 */

/** A value of a database, and where it lies. */
export interface LmdbEntry {
  readonly key: Uint8Array;
  /** Byte at which the value begins. */
  readonly at: number;
  /** Bytes of the value. */
  readonly length: number;
}

/**
 * Bytes of the file.
 *
 * @throws Anything when there are not so many.
 */
export type ReadAt = (at: number, length: number) => Uint8Array;

const MAGIC = 0xbeefc0de, VERSION = 1;
const PAGE_HEADER = 16, NODE_HEADER = 8;
/** Flags of a page. */
const BRANCH = 0x01, LEAF = 0x02, OVERFLOW = 0x04, META = 0x08, LEAF2 = 0x20;
/** Flags of a node: the value lies on pages of its own; the value is a database or a list. */
const BIG_DATA = 0x01, SUB_DATA = 0x02, DUP_DATA = 0x04;
/** Of a meta page: databases begin at 24 after its header, the main one is the second. */
const META_BYTES = 136, DATABASES_AT = 24, DATABASE_BYTES = 48;
const LEAST_PAGE = 256, MOST_PAGE = 1 << 16, MAX_DEPTH = 32, NO_ROOT = 0xffffffffffffffffn;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read LMDB: ${what}`);
}

/** What the newer of the two meta pages says. */
interface Root {
  readonly pageBytes: number;
  /** Page of the root; null of an empty database. */
  readonly page: number | null;
  readonly depth: number;
  readonly entries: number;
  readonly pages: number;
  readonly transaction: bigint;
}

/** A database whose pages are read as they are wanted. */
export class Lmdb {
  private constructor(private readonly read: ReadAt, private readonly root: Root) {}

  /**
   * Reads the meta pages.
   *
   * @param bytes Of the whole file.
   * @throws {SyntaxError} When they are none, or damaged.
   */
  static open(bytes: number, read: ReadAt): Lmdb {
    if (bytes < 2 * LEAST_PAGE) throw damaged(`it must have two pages, got ${bytes} bytes`);
    const first = readMeta(read, 0, null);
    const second = readMeta(read, first.pageBytes, first.pageBytes);
    const root = second.transaction > first.transaction ? second : first;
    // A map may be larger than what was written of it, but no page in use is missing.
    const room = Math.floor(bytes / root.pageBytes);
    if (root.pages > room) {
      throw damaged(
        `it must have ${root.pages} pages of ${root.pageBytes} bytes, got ${bytes} bytes; it is cut short`,
      );
    }
    return new Lmdb(read, root);
  }

  /** Entries of the database, as it says itself. */
  get count(): number {
    return this.root.entries;
  }

  /**
   * All entries in the order of their keys.
   *
   * @throws {SyntaxError} When a page is damaged or met twice; it names the page and its byte.
   * @throws {TypeError} When a key has several values, or a database as its value.
   */
  *entries(): Generator<LmdbEntry> {
    const { page, depth, entries } = this.root;
    const walk = { seen: new Set<number>(), count: 0 };
    if (page !== null) yield* this.#entriesOf(page, depth, walk);
    if (walk.count !== entries) {
      throw damaged(`it must have ${entries} entries, got ${walk.count}`);
    }
  }

  /** A value. */
  value({ at, length }: LmdbEntry): Uint8Array {
    return this.read(at, length);
  }

  *#entriesOf(
    number: number,
    depth: number,
    walk: { seen: Set<number>; count: number },
  ): Generator<LmdbEntry> {
    const { pageBytes, entries } = this.root;
    const page = this.#page(number, walk.seen);
    const isLeaf = depth === 1;
    if ((page.flags & (BRANCH | LEAF | OVERFLOW | LEAF2)) !== (isLeaf ? LEAF : BRANCH)) {
      throw page.damaged(`it must be a ${isLeaf ? "leaf" : "branch"}, got flags ${page.flags}`);
    }
    for (let i = 0; i < page.nodes; i++) {
      const node = page.node(i);
      if (!isLeaf) {
        yield* this.#entriesOf(node.child, depth - 1, walk);
        continue;
      }
      if (++walk.count > entries) throw page.damaged(`there must be ${entries} entries, got more`);
      if (node.flags & (SUB_DATA | DUP_DATA)) {
        throw new TypeError(
          "Cannot read LMDB: its keys must have one value each, got a database in it or several values",
        );
      }
      const { key, at, length } = node;
      if (!(node.flags & BIG_DATA)) yield { key, at: number * pageBytes + at, length };
      else yield { key, at: this.#bigValue(page, node), length };
    }
  }

  #page(number: number, seen: Set<number>): Page {
    const { pageBytes, pages } = this.root;
    if (!(number >= 2 && number < pages)) {
      throw damaged(`a page must have a number from 2 to ${pages - 1}, got ${number}`);
    }
    if (seen.has(number)) {
      throw damaged(
        `page ${number} at byte ${number * pageBytes} must be met once, it is met again`,
      );
    }
    seen.add(number);
    return new Page(this.read(number * pageBytes, pageBytes), number);
  }

  /** Byte of a value that lies on pages of its own. */
  #bigValue(page: Page, { at, length }: Node): number {
    const { pageBytes, pages } = this.root;
    const number = page.pageNumber(at);
    if (!(number >= 2 && number < pages)) {
      throw page.damaged(`a value must be on a page from 2 to ${pages - 1}, got ${number}`);
    }
    const view = viewOf(this.read(number * pageBytes, PAGE_HEADER));
    const run = view.getUint32(12, true);
    if (
      !(view.getUint16(10, true) & OVERFLOW) || run === 0 || number + run > pages ||
      PAGE_HEADER + length > run * pageBytes
    ) {
      throw damaged(
        `page ${number} at byte ${number * pageBytes} must begin a value of ${length} bytes, got ` +
          `${run} pages of flags ${view.getUint16(10, true)}`,
      );
    }
    return number * pageBytes + PAGE_HEADER;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whole numbers of 64 bits, as far as a double holds them. */
function wholeOf(view: DataView, at: number, what: string): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw damaged(`${what} must be below 2^53, got ${value}`);
  }
  return Number(value);
}

function readMeta(read: ReadAt, at: number, pageBytes: number | null): Root {
  const view = viewOf(read(at, PAGE_HEADER + META_BYTES));
  const meta = PAGE_HEADER, free = meta + DATABASES_AT, main = free + DATABASE_BYTES;
  const magic = view.getUint32(meta, true);
  if (!(view.getUint16(10, true) & META) || magic !== MAGIC) {
    throw damaged(
      `the page at byte ${at} must be a meta page of 64 bits, got flags ${
        view.getUint16(10, true)
      } ` +
        `and ${magic.toString(16)}`,
    );
  }
  const version = view.getUint32(meta + 4, true);
  if (version !== VERSION) throw damaged(`its version must be ${VERSION}, got ${version}`);
  const own = view.getUint32(free, true);
  const fits = own >= LEAST_PAGE && own <= MOST_PAGE && (own & (own - 1)) === 0;
  if (!fits || pageBytes !== null && own !== pageBytes) {
    throw damaged(
      `its pages must have ${
        pageBytes ?? `a power of two from ${LEAST_PAGE} to ${MOST_PAGE}`
      } bytes, ` +
        `got ${own}`,
    );
  }
  const root = view.getBigUint64(main + 40, true), depth = view.getUint16(main + 6, true);
  if (depth > MAX_DEPTH || (root !== NO_ROOT && depth === 0)) {
    throw damaged(`its tree must be 1 to ${MAX_DEPTH} pages deep, got ${depth}`);
  }
  return {
    ...{ pageBytes: own, depth },
    page: root === NO_ROOT ? null : wholeOf(view, main + 40, "its root"),
    entries: wholeOf(view, main + 32, "the number of entries"),
    pages: wholeOf(view, meta + 120, "its last page") + 1,
    transaction: view.getBigUint64(meta + 128, true),
  };
}

/** An entry of a page. */
interface Node {
  readonly flags: number;
  readonly key: Uint8Array;
  /** Page below it, of a branch. */
  readonly child: number;
  /** Where its value, or the page of that, lies in the page. */
  readonly at: number;
  readonly length: number;
}

/** A page of a tree. */
class Page {
  readonly #view: DataView;
  readonly flags: number;
  readonly nodes: number;

  constructor(private readonly bytes: Uint8Array, private readonly number: number) {
    this.#view = viewOf(bytes);
    this.flags = this.#view.getUint16(10, true);
    const lower = this.#view.getUint16(12, true);
    const isOverflow = (this.flags & OVERFLOW) !== 0;
    if (!isOverflow && (lower < PAGE_HEADER || lower > bytes.length || lower % 2 === 1)) {
      throw this.damaged(`its nodes must be told before byte ${bytes.length}, got ${lower}`);
    }
    this.nodes = isOverflow ? 0 : (lower - PAGE_HEADER) / 2;
  }

  damaged(what: string): SyntaxError {
    return damaged(`page ${this.number} at byte ${this.number * this.bytes.length}: ${what}`);
  }

  /** The number of a page, 8 bytes at a place. */
  pageNumber(at: number): number {
    return wholeOf(this.#view, at, "the number of a page");
  }

  node(index: number): Node {
    const { length: end } = this.bytes, view = this.#view;
    const start = view.getUint16(PAGE_HEADER + 2 * index, true);
    const within = start >= PAGE_HEADER && start + NODE_HEADER <= end;
    const keyBytes = within ? view.getUint16(start + 6, true) : 0;
    const at = start + NODE_HEADER + keyBytes;
    const low = within ? view.getUint16(start, true) + view.getUint16(start + 2, true) * 65536 : 0;
    const flags = within ? view.getUint16(start + 4, true) : 0;
    const isBranch = (this.flags & BRANCH) !== 0;
    const held = isBranch ? 0 : flags & BIG_DATA ? 8 : low;
    if (!within || at + held > end) {
      throw this.damaged(`node ${index} must lie in it, got ${start} to ${at + held} of ${end}`);
    }
    const key = this.bytes.slice(start + NODE_HEADER, at);
    // Of a branch the flags are the upper bits of the number.
    const child = isBranch ? low + flags * 2 ** 32 : 0;
    return { flags: isBranch ? 0 : flags, key, child, at, length: isBranch ? 0 : low };
  }
}
