import { crc32, writeZip, ZipArchive } from "../../formats/zip.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const text = (value: string) => new TextEncoder().encode(value);
const FILES: [string, Uint8Array][] = [
  ["a/data.txt", text("the quick brown fox ".repeat(50))],
  ["empty", new Uint8Array()],
  ["dé中", Uint8Array.from({ length: 1000 }, (_, i) => (i * i) & 255)],
];

/** Place of the central directory's line of the file with this number. */
function central(bytes: Uint8Array, number = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = view.getUint32(bytes.length - 6, true);
  for (let i = 0; i < number; i++) {
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true);
  }
  return at;
}

function changed(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  change(new DataView(copy.buffer));
  return copy;
}

function refuses(bytes: Uint8Array, part: string): void {
  assertThrows(
    () => {
      const archive = ZipArchive.open(bytes);
      for (const name of archive.entries.keys()) archive.read(name);
    },
    SyntaxError,
    part,
  );
}

for (const compress of [false, true]) {
  const what = compress ? "deflated" : "stored";
  Deno.test(`ZipArchive reads what writeZip() wrote, ${what}`, () => {
    const archive = ZipArchive.open(writeZip(FILES, { compress }));
    assertEquals([...archive.entries.keys()].sort(), FILES.map(([name]) => name).sort());
    for (const [name, bytes] of FILES) {
      assertEquals(archive.entries.get(name)?.deflated, compress);
      assertEquals([...archive.read(name)], [...bytes], name);
    }
    assertThrows(() => archive.read("absent"), RangeError, "absent");
  });

  Deno.test(`ZipArchive refuses a ${what} archive cut at any byte`, () => {
    const whole = writeZip(FILES.slice(0, 2), { compress });
    for (let length = 0; length < whole.length; length++) {
      refuses(whole.subarray(0, length), "Cannot read zip archive");
    }
  });

  Deno.test(`ZipArchive notices any changed byte of ${what} data`, () => {
    const whole = writeZip(FILES, { compress });
    for (const { start, packedSize, name } of ZipArchive.open(whole).entries.values()) {
      for (let at = start; at < start + packedSize; at += 7) {
        const bad = whole.slice();
        bad[at]! ^= 0x10;
        refuses(bad, JSON.stringify(name));
      }
    }
  });
}

Deno.test("ZipArchive reads stored files without copying them", () => {
  const bytes = writeZip(FILES);
  assert(ZipArchive.open(bytes).read("a/data.txt").buffer === bytes.buffer);
});

Deno.test("ZipArchive reads an archive with a comment, and one with zip64 sizes", () => {
  const plain = writeZip([["a", text("abc")]]);
  const comment = changed(Uint8Array.of(...plain, 1, 2, 3), (view) => {
    view.setUint16(plain.length - 2, 3, true);
  });
  assertEquals([...ZipArchive.open(comment).entries.keys()], ["a"]);

  const directory = central(plain), end = plain.length - 22;
  const extra = new DataView(new ArrayBuffer(28));
  extra.setUint16(0, 1, true);
  extra.setUint16(2, 24, true);
  for (const [i, value] of [3, 3, 0].entries()) extra.setBigUint64(4 + 8 * i, BigInt(value), true);
  const line = changed(plain.slice(directory, end), (view) => {
    for (const at of [20, 24, 42]) view.setUint32(at, 0xffffffff, true);
    view.setUint16(30, 28, true);
  });
  const tail = new DataView(new ArrayBuffer(56 + 20 + 22));
  tail.setUint32(0, 0x06064b50, true);
  tail.setBigUint64(32, 1n, true);
  tail.setBigUint64(40, BigInt(line.length + 28), true);
  tail.setBigUint64(48, BigInt(directory), true);
  tail.setUint32(56, 0x07064b50, true);
  tail.setBigUint64(64, BigInt(directory + line.length + 28), true);
  tail.setUint32(76, 0x06054b50, true);
  tail.setUint16(86, 0xffff, true);
  for (const at of [88, 92]) tail.setUint32(at, 0xffffffff, true);
  const parts = [plain.subarray(0, directory), line, extra, tail].map((part) =>
    part instanceof DataView ? new Uint8Array(part.buffer) : part
  );
  const zip64 = Uint8Array.from(parts.flatMap((part) => [...part]));
  assertEquals(new TextDecoder().decode(ZipArchive.open(zip64).read("a")), "abc");
});

Deno.test("ZipArchive refuses sizes that the bytes cannot have before it inflates", () => {
  const bytes = writeZip(FILES, { compress: true });
  const at = central(bytes);
  for (const size of [0xfffffffe, 10_000_000]) {
    refuses(changed(bytes, (view) => view.setUint32(at + 24, size, true)), "must not have");
  }
  refuses(changed(bytes, (view) => view.setUint32(at + 20, 1e6, true)), "before the directory");
  refuses(changed(bytes, (view) => view.setUint32(at + 24, 999, true)), "must inflate to 999");
  refuses(changed(bytes, (view) => view.setUint32(at + 24, 1001, true)), "must inflate to 1001");
  const stored = writeZip(FILES);
  refuses(
    changed(stored, (view) => view.setUint32(central(stored) + 24, 9, true)),
    "must not have",
  );
});

Deno.test("ZipArchive refuses files that share bytes or stand twice under one name", () => {
  const bytes = writeZip([["a", text("xxxx")], ["b", text("yyyy")]]);
  const second = central(bytes, 1);
  refuses(changed(bytes, (view) => view.setUint32(second + 42, 0, true)), "must not overlap");
  refuses(changed(bytes, (view) => view.setUint8(second + 46, 97)), "must be there once");
});

Deno.test("ZipArchive refuses headers that lie, encryption and other methods", () => {
  const bytes = writeZip(FILES);
  const at = central(bytes);
  refuses(changed(bytes, (view) => view.setUint32(at + 42, 5, true)), "must have a header");
  refuses(changed(bytes, (view) => view.setUint32(at, 0, true)), "must have a file at byte");
  refuses(changed(bytes, (view) => view.setUint16(bytes.length - 12, 65000, true)), "65000 files");
  for (const [field, value] of [[8, 1], [10, 12]] as const) {
    assertThrows(
      () => ZipArchive.open(changed(bytes, (view) => view.setUint16(at + field, value, true))),
      TypeError,
      "must be stored or deflated",
    );
  }
});

Deno.test("writeZip() gives equal bytes for equal input and refuses a name used twice", () => {
  assertEquals(writeZip(FILES), writeZip(FILES));
  assertThrows(() => writeZip([["a", text("1")], ["a", text("2")]]), RangeError, "once");
});

Deno.test("crc32() gives the check value of the polynomial", () => {
  assertEquals(crc32(text("123456789")), 0xcbf43926);
  assertEquals(crc32(new Uint8Array()), 0);
});
