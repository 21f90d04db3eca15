import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import type { RawImages } from "../../../data/dataset.ts";
import {
  cachedImages,
  type DecodedFrom,
  decodedPath,
  fingerprint,
} from "../../../data/fetching/decoded_cache.ts";
import { bytesOf } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const FROM: DecodedFrom = {
  name: "some set train",
  recipe: { path: "/somewhere", split: "train", size: 4, crop: true, filter: null },
  source: "a digest",
};

const RAW: RawImages = {
  images: bytesOf(5 * 4 * 4 * 3, 1),
  labels: Uint8Array.of(0, 1, 1, 0, 1),
  mirrorable: Uint8Array.of(1, 0, 1, 1, 1),
  classNames: ["cat", "dog"],
  count: 5,
  height: 4,
  width: 4,
  channels: 3,
};

/** Counts the decodings and keeps the lines. */
function probe(folder: string) {
  const lines: string[] = [];
  let decodings = 0;
  const load = (from: Partial<DecodedFrom> = {}, raw = RAW, where = folder) =>
    cachedImages({ ...FROM, ...from }, () => (decodings++, raw), (line) => lines.push(line), where);
  return { load, lines, decodings: () => decodings };
}

Deno.test("cachedImages() decodes once and gives the same images afterwards", async () => {
  await inFolder(async (folder) => {
    const { load, lines, decodings } = probe(folder);
    assertEquals(await load(), RAW);
    assertEquals(await load(), RAW);
    assertEquals(decodings(), 1);
    assertEquals(lines, [
      `Kept 5 decoded images of some set train in ${decodedPath(FROM, folder)}`,
    ]);
    const { mirrorable: _, classNames: __, ...rest } = RAW;
    const bare = { ...rest, labels: null };
    assertEquals(await load({ name: "bare" }, bare), bare);
    assertEquals(await load({ name: "bare" }, bare), bare);
    assertEquals(decodings(), 2);
  });
});

Deno.test("cachedImages() keeps a file a recipe, whatever the order of its fields", async () => {
  await inFolder(async (folder) => {
    const { load, decodings } = probe(folder);
    await load();
    await load({ recipe: { ...FROM.recipe, size: 8 } });
    assertEquals(decodings(), 2);
    await load({ recipe: Object.fromEntries(Object.entries(FROM.recipe).reverse()) });
    await load({ recipe: { ...FROM.recipe, size: 8 } });
    assertEquals(decodings(), 2);
    assertEquals([...Deno.readDirSync(folder)].length, 2);
  });
});

Deno.test("cachedImages() decodes again when the source has changed, and replaces the file", async () => {
  await inFolder(async (folder) => {
    const { load, lines, decodings } = probe(folder);
    await load();
    const later = { ...RAW, images: bytesOf(240, 2) };
    assertEquals(await load({ source: "another" }, later), later);
    assertEquals(await load({ source: "another" }, RAW), later);
    assertEquals(decodings(), 2);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
    assertStringIncludes(lines[1]!, "Decoding some set train again: its source has changed");
  });
});

Deno.test("cachedImages() notices every damage, says so in one line and repairs the file", async () => {
  await inFolder(async (folder) => {
    const path = decodedPath(FROM, folder);
    await probe(folder).load();
    const whole = await Deno.readFile(path);
    const flipped = (at: number) => {
      const bytes = whole.slice();
      bytes[at]! ^= 1;
      return bytes;
    };
    const headerBytes = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
    const damages: [Uint8Array, string][] = [
      [new Uint8Array(0), "an empty file"],
      [whole.subarray(0, 5), "8 bytes of header length"],
      [whole.subarray(0, headerBytes - 1), "cannot be used"],
      [whole.subarray(0, -1), "cannot be used"],
      [flipped(0), "cannot be used"],
      [flipped(7), "cannot be used"],
      [flipped(headerBytes), "match its checksum"],
      [flipped(headerBytes + 239), "match its checksum"],
      [flipped(headerBytes + 240), "match its checksum"],
      [flipped(whole.length - 1), "match its checksum"],
    ];
    for (const [bytes, part] of damages) {
      await Deno.writeFile(path, bytes);
      const { load, lines, decodings } = probe(folder);
      assertEquals(await load(), RAW);
      assertEquals(decodings(), 1, part);
      assertEquals(lines.length, 2, part);
      assertStringIncludes(lines[0]!, part);
      assertEquals(await Deno.readFile(path), whole);
    }
  });
});

Deno.test("cachedImages() decodes each time where nothing can be kept, and says why", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "");
    const { load, lines, decodings } = probe(file);
    assertEquals(await load(), RAW);
    assertEquals(await load(), RAW);
    assertEquals(decodings(), 2);
    assert(
      lines.length >= 2 && lines.some((line) => line.startsWith("Decoded images are not kept")),
    );
  });
});

Deno.test("cachedImages() passes on what the decoder throws, and keeps nothing then", async () => {
  await inFolder(async (folder) => {
    const broken = () => {
      throw new SyntaxError("Cannot read it");
    };
    await assertRejects(() => cachedImages(FROM, broken, () => {}, folder), SyntaxError, "read it");
    assertEquals([...Deno.readDirSync(folder)].length, 0);
  });
});

Deno.test("fingerprint() changes with a file's path, size and time", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a`;
    await Deno.writeTextFile(path, "text");
    await Deno.utime(path, 1000, 1000);
    const first = fingerprint([path]);
    assertEquals(fingerprint([path]), first);
    await Deno.utime(path, 1000, 1001);
    const touched = fingerprint([path]);
    await Deno.writeTextFile(path, "texts");
    await Deno.utime(path, 1000, 1000);
    const longer = fingerprint([path]);
    await Deno.rename(path, `${folder}/b`);
    await Deno.writeTextFile(`${folder}/b`, "text");
    await Deno.utime(`${folder}/b`, 1000, 1000);
    const moved = fingerprint([`${folder}/b`]);
    assertEquals(new Set([first, touched, longer, moved]).size, 4);
  });
});
