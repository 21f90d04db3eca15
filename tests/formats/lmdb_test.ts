import { Lmdb } from "../../formats/lmdb.ts";
import { decodePng } from "../../formats/png_decode.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { FOREIGN_FILES, formulaImages } from "../support/foreign_files.ts";

const PAGE = 4096;
const FILE = FOREIGN_FILES.lmdb;

function open(bytes: Uint8Array): Lmdb {
  return Lmdb.open(bytes.length, (at, length) => {
    assert(at >= 0 && at + length <= bytes.length, `${length} bytes at ${at} of ${bytes.length}`);
    return bytes.subarray(at, at + length);
  });
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);

/** A copy with numbers in other places: [byte, bits, value]. */
function changed(...places: readonly [at: number, bits: 16 | 32 | 64, value: number][]) {
  const copy = FILE.slice(), view = viewOf(copy);
  for (const [at, bits, value] of places) {
    if (bits === 16) view.setUint16(at, value, true);
    else if (bits === 32) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
  }
  return copy;
}

/** The meta page that counts, the root, and its children with the bytes of their nodes. */
function places() {
  const view = viewOf(FILE);
  const meta = [0, PAGE].reduce((a, b) =>
    view.getBigUint64(b + 144, true) > view.getBigUint64(a + 144, true) ? b : a
  );
  const root = Number(view.getBigUint64(meta + 128, true));
  const nodes = (view.getUint16(root * PAGE + 12, true) - 16) / 2;
  const children = Array.from({ length: nodes }, (_, i) => {
    const at = root * PAGE + view.getUint16(root * PAGE + 16 + 2 * i, true);
    return { at, page: view.getUint32(at, true) };
  });
  return { meta, root, children };
}

Deno.test("Lmdb reads what liblmdb wrote, large values and the newer of two states", () => {
  const database = open(FILE);
  assertEquals(database.count, 23);
  const entries = [...database.entries()];
  const keys = entries.map(({ key }) => new TextDecoder().decode(key));
  assertEquals([keys.length, keys], [23, keys.toSorted()]);
  const pictures = entries.map((entry) => decodePng(database.value(entry)));
  assertEquals(pictures.filter(({ width }) => width === 40).length, 1);
  // The 24th was deleted in the second transaction.
  const expected = Array.from(
    { length: 23 },
    (_, n) => formulaImages(24, 8, 8, 3).subarray(n * 192, (n + 1) * 192).join(),
  ).filter((_, n) => n !== 5);
  const small = pictures.filter(({ width }) => width === 8).map(({ data }) => data.join());
  assertEquals(small.sort(), expected.sort());
});

Deno.test("Lmdb ends at pages that lead in a circle or nowhere, and names page and byte", () => {
  const { meta, root, children: [first, second] } = places();
  const refuses = (bytes: Uint8Array, message: string) =>
    assertThrows(() => [...open(bytes).entries()], SyntaxError, message);
  refuses(changed([first!.at, 32, root]), `page ${root} at byte ${root * PAGE} must be met once`);
  refuses(changed([second!.at, 32, first!.page]), `page ${first!.page} at byte`);
  refuses(changed([first!.at, 32, 5000]), "a page must have a number from 2 to");
  // Deeper than it is, so that a leaf would be a branch.
  refuses(changed([meta + 16 + 72 + 6, 16, 9]), "it must be a branch, got flags 2");
  refuses(changed([meta + 16 + 72 + 6, 16, 99]), "1 to 32 pages deep, got 99");
  refuses(changed([meta + 16 + 72 + 32, 64, 24]), "it must have 24 entries, got 23");
  refuses(changed([meta + 16 + 72 + 32, 64, 5]), "there must be 5 entries, got more");
  refuses(changed([first!.page * PAGE + 12, 16, 5000]), "its nodes must be told before byte 4096");
  refuses(changed([first!.page * PAGE + 16, 16, 4093]), "node 0 must lie in it");
  refuses(changed([16, 32, 1]), "must be a meta page");
  refuses(changed([16 + 24, 32, 100]), "a power of two from 256 to 65536 bytes, got 100");
  refuses(FILE.subarray(0, FILE.length - PAGE), "it is cut short");
  refuses(FILE.subarray(0, 100), "it must have two pages");
});
