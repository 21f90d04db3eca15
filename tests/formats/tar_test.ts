import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { isTar, tarEntries, type TarFile, tarFiles, type TarLimits } from "../../formats/tar.ts";
import { paxItem, tarOf, writeTar } from "./tar_writer.ts";

/** A stream that hands out pieces of a size, and says whether it was cancelled. */
function streamOf(bytes: Uint8Array<ArrayBuffer>, piece = bytes.length || 1) {
  let at = 0;
  const state = { cancelled: false };
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += piece));
    },
    cancel() {
      state.cancelled = true;
    },
  });
  return { stream, state };
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

async function read(bytes: Uint8Array<ArrayBuffer>, piece?: number, limits?: TarLimits) {
  const files: TarFile[] = [];
  for await (const file of tarFiles(streamOf(bytes, piece).stream, limits)) files.push(file);
  return files;
}

const FILES = [
  { name: "set/a.bin", bytes: Uint8Array.from({ length: 1500 }, (_, i) => i) },
  { name: "set/empty.txt", bytes: new Uint8Array(0) },
  { name: `set/${"long-name/".repeat(30)}b.bin`, bytes: new Uint8Array([1, 2, 3]) },
];
const EXPECTED = FILES.map(({ name, bytes }) => ({ name, size: bytes.length, bytes }));

Deno.test("tarFiles() reads plain and gzipped archives, in pieces of any size", async () => {
  const plain = writeTar(FILES);
  const packed = await gzip(plain);
  for (const piece of [1, 100, 512, 100000]) {
    assertEquals(await read(plain, piece), EXPECTED);
    assertEquals(await read(packed, piece), EXPECTED);
  }
});

Deno.test("tarFiles() skips what is not accepted", async () => {
  const files = await read(writeTar(FILES), 700, {
    accept: (name) => name.endsWith(".txt"),
    maxFileBytes: 10,
  });
  assertEquals(files.map(({ name }) => name), ["set/empty.txt"]);
});

Deno.test("tarFiles() reads the large file after a small one that it skips", async () => {
  const large = { name: "large", bytes: new Uint8Array(3_000_000).fill(7) };
  const small = { name: "small", bytes: new Uint8Array(61) };
  const plain = writeTar([large, small, large, small, large]);
  for (const bytes of [plain, await gzip(plain)]) {
    const files = await read(bytes, 65536, { accept: (name) => name === "large" });
    assertEquals(files.map(({ size }) => size), [3_000_000, 3_000_000, 3_000_000]);
  }
});

Deno.test("tarFiles() keeps to its limits", async () => {
  const plain = writeTar(FILES);
  await assertRejects(
    () => read(plain, 512, { maxFileBytes: 1499 }),
    RangeError,
    '"set/a.bin" must have at most 1499 bytes, got 1500',
  );
  const bomb = await gzip(writeTar([{ name: "zeros", bytes: new Uint8Array(5_000_000) }]));
  assert(bomb.length < 10_000);
  await assertRejects(
    () => read(bomb, 1000, { maxTotalBytes: 1_000_000 }),
    RangeError,
    "at most 1000000 bytes, got more",
  );
});

Deno.test("tarFiles() does not believe an absurd size in a header", async () => {
  const plain = writeTar([{ name: "a", bytes: new Uint8Array(3) }]);
  plain.set(new TextEncoder().encode("00077777777"), 124); // 16 MiB
  plain.fill(0x20, 148, 156);
  const sum = plain.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  plain.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  await assertRejects(() => read(plain), SyntaxError, "damaged or cut off");
});

Deno.test("tarFiles() refuses archives that are cut off or no archives", async () => {
  const plain = writeTar(FILES);
  for (const length of [1, 511, 512, 1000, 2100, plain.length - 1100]) {
    await assertRejects(() => read(plain.slice(0, length)), SyntaxError, "Cannot read tar archive");
  }
  const packed = await gzip(plain);
  for (const length of [1, 2, 10, 100, packed.length - 4]) {
    await assertRejects(
      () => read(packed.slice(0, length)),
      SyntaxError,
      "Cannot read tar archive",
    );
  }
  await assertRejects(() => read(new Uint8Array(0)), SyntaxError, "Cannot read tar archive");
  await assertRejects(() => read(new Uint8Array(3000).fill(65)), SyntaxError);
  await assertRejects(() => read(writeTar([])), SyntaxError, "at least one entry");
});

Deno.test("tarFiles() reads or refuses random mutations and never hangs", async () => {
  const plain = writeTar(FILES);
  const packed = await gzip(plain);
  let state = 7;
  const random = (n: number) => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) % n;
  for (let round = 0; round < 300; round++) {
    const bytes = (round % 2 ? plain : packed).slice();
    for (let k = 0; k <= random(3); k++) bytes[random(bytes.length)] = random(256);
    try {
      const files = await read(bytes, 512);
      assert(files.reduce((total, { size }) => total + size, 0) <= plain.length);
    } catch (error) {
      assert(error instanceof SyntaxError || error instanceof RangeError, String(error));
    }
  }
});

Deno.test("tarFiles() cancels the stream when the caller stops early", async () => {
  const more = [...FILES, { name: "big", bytes: new Uint8Array(5_000_000) }];
  const { stream, state } = streamOf(writeTar(more), 512);
  for await (const { name } of tarFiles(stream)) {
    assertEquals(name, "set/a.bin");
    break;
  }
  assert(state.cancelled);
});

Deno.test("tarEntries() tells links, sparse files and devices from files", async () => {
  const bytes = new Uint8Array(3);
  const archive = tarOf([
    ...[{ name: "f", bytes }, { name: "d/", bytes: new Uint8Array(0) }, { name: "e", type: "5" }],
    ...[{ name: "h", type: "1", target: "f" }, { name: "s", type: "2", target: "../f" }],
    ...[{ name: "tty", type: "3" }, { name: "old", type: "S", bytes }],
    ...[paxItem({ "GNU.sparse.major": "1", "size": "3" }), { name: "new", bytes }],
  ]);
  const seen: string[] = [];
  for await (const { name, kind, target, bytes } of tarEntries(streamOf(archive).stream)) {
    seen.push(`${name} ${kind} ${target} ${bytes?.length ?? "-"}`);
  }
  assertEquals(seen, [
    ...["f file  3", "d/ folder  -", "e folder  -", "h hard link f -", "s symbolic link ../f -"],
    ...["tty other  -", "old other  -", "new other  -"],
  ]);
});

Deno.test("isTar() tells archives by the checksum, with or without a magic", () => {
  for (const format of ["ustar", "v7"] as const) {
    const head = tarOf([{ name: "a", format }]).subarray(0, 512);
    assert(isTar(head));
    assert(!isTar(head.subarray(1)));
    head[0]!++;
    assert(!isTar(head));
  }
  assert(!isTar(new Uint8Array(512)));
});
