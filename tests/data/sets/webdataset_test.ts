import { join } from "node:path";
import { loadRows } from "../../../data/fetching/stored_images.ts";
import { loadImageFolder, storeImageFolder } from "../../../data/sets/image_folder.ts";
import { MissingPlaceError } from "../../../data/fetching/locate_files.ts";
import type { Split } from "../../../data/dataset.ts";
import { encodePng } from "../../../formats/png.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { writeTar } from "../../formats/tar_writer.ts";

/** A picture of one colour. */
function flat(value: number): Uint8Array {
  const data = new Uint8Array(4 * 4 * 3).fill(value);
  return encodePng({ width: 4, height: 4, channels: 3, data });
}

const text = (value: string) => new TextEncoder().encode(value);

/** Samples of these values; a class of null has no file. */
function shard(samples: readonly (readonly [value: number, label: string | null])[]): Uint8Array {
  return writeTar(samples.flatMap(([value, label], i) => {
    const key = `${i}`.padStart(6, "0");
    return [
      ...label === null ? [] : [{ name: `${key}.cls`, bytes: text(label) }],
      { name: `${key}.png`, bytes: flat(value) },
      { name: `${key}.json`, bytes: text(`{"width":4}`) },
    ];
  }));
}

/** Samples 10 * i + 1, ... of class i modulo 3, ten a shard. */
const tenOf = (i: number) =>
  shard(Array.from({ length: 10 }, (_, j) => [10 * i + j, `${(10 * i + j) % 3}`]));

async function write(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.mkdir(join(folder, "set", name, ".."), { recursive: true });
    await Deno.writeFile(join(folder, "set", name), bytes);
  }
}

/** What is read: [value, class] of each image in order, and all that is said. */
async function read(folder: string, place = "", split: Split = "train", skipBroken = false) {
  const lines: string[] = [];
  const options = { size: 4, channels: 3, crop: true, resize: "area", skipBroken } as const;
  const around = { decoded: join(folder, "cache") };
  const say = (line: string) => void lines.push(line);
  const dir = join(folder, "set", place);
  const set = await loadImageFolder(dir, split, options, say, around);
  const stored = await storeImageFolder(dir, split, options, say, { decoded: join(folder, "s") });
  const rows = Uint32Array.from({ length: stored.count }, (_, i) => i);
  const streamed = await loadRows("set", stored, rows);
  assertEquals([streamed.images, streamed.labels], [set.images, set.labels]);
  const seen = Array.from({ length: set.count }, (_, i) => [
    set.images[48 * i]!,
    set.labels ? set.classNames![set.labels[i]!]! : null,
  ]);
  return { seen, said: lines.join("\n") };
}

const byValue = (seen: (number | string | null)[][]) =>
  seen.toSorted(([a], [b]) => Number(a) - Number(b));
const thirds = (count: number, names = ["0", "1", "2"]) =>
  Array.from({ length: count }, (_, i) => [i, names[i % 3]!]);

Deno.test("loadImageFolder() labels images of a tar by the .cls of their keys", () =>
  inFolder(async (folder) => {
    await write(folder, { "one.tar": tenOf(0) });
    const train = await read(folder, "one.tar"), test = await read(folder, "one.tar", "test");
    assertEquals([train.seen.length, test.seen.length], [9, 1]);
    assertEquals(byValue([...train.seen, ...test.seen]), thirds(10));
    assert(!train.said.includes(".cls"), train.said);
    assert(train.said.includes("10 .json files"), train.said);
    assertEquals((await read(folder, "one.tar")).seen, train.seen);
  }));

Deno.test("loadImageFolder() takes shards as one set, in a folder of them, and by their notation", () =>
  inFolder(async (folder) => {
    await write(folder, {
      "a-train-0000.tar": tenOf(0),
      "a-train-0001.tar": tenOf(1),
      "a-validation-00.tar": shard([[200, "2"], [201, "0"]]),
    });
    const train = await read(folder), test = await read(folder, "", "test");
    assertEquals(byValue(train.seen), thirds(20));
    assertEquals(byValue(test.seen), [[200, "2"], [201, "0"]]);
    const named = await read(folder, "a-train-{0000..0001}.tar");
    const held = await read(folder, "a-train-{0000..0001}.tar", "test");
    assertEquals([named.seen.length, held.seen.length], [18, 2]);
    assertEquals(byValue([...named.seen, ...held.seen]), thirds(20));
    await assertRejects(
      () => read(folder, "a-train-{0000..0002}.tar"),
      MissingPlaceError,
      "a-train-0002.tar",
    );
    await assertRejects(() => read(folder, "a-{5..2}.tar"), RangeError, "names 0");
  }));

Deno.test("loadImageFolder() names classes by classnames.txt, where it names all of them", () =>
  inFolder(async (folder) => {
    await write(folder, {
      "train/0.tar": tenOf(0),
      "train/1.tar": tenOf(1),
      "test/0.tar": shard([[200, "1"]]),
      "classnames.txt": text("cat\ndog\nowl\n"),
    });
    const train = await read(folder), test = await read(folder, "", "test");
    assertEquals(byValue(train.seen), thirds(20, ["cat", "dog", "owl"]));
    assertEquals(test.seen, [[200, "dog"]]);
    assert(!train.said.includes("classnames"), train.said);
    await Deno.writeTextFile(join(folder, "set", "classnames.txt"), "cat\ndog\n");
    const short = await read(folder);
    assertEquals(byValue(short.seen), thirds(20));
    assert(short.said.includes("it must name 3 classes"), short.said);
  }));

Deno.test("loadImageFolder() has no labels where an image has no .cls, and says so in a line", () =>
  inFolder(async (folder) => {
    await write(folder, { "one.tar": shard([[0, "0"], [1, null], [2, "1"], [3, null], [4, "1"]]) });
    const { seen, said } = await read(folder, "one.tar");
    assert(seen.every(([, name]) => name === null));
    const [line, ...more] = said.split("\n").filter((line) => line.includes(".cls"));
    assert(line!.includes("2 images have no .cls, as 000001.png"), line);
    // Once in memory, and once as a stream.
    assertEquals(more.length, 1);
  }));

Deno.test("loadImageFolder() refuses a .cls that is no class by name, or leaves its image out", () =>
  inFolder(async (folder) => {
    for (const wrong of ["cat", "-1", "65536", "1.5", "", "1".repeat(100)]) {
      const samples = [[0, "0"], [1, " 1\n"], [2, wrong], [3, "1"], [4, "0"]] as const;
      await write(folder, { "one.tar": shard(samples) });
      await assertRejects(
        () => read(folder, "one.tar"),
        Error,
        "000002.cls with " + JSON.stringify(wrong.slice(0, 20)),
      );
      const train = await read(folder, "one.tar", "train", true);
      const test = await read(folder, "one.tar", "test", true);
      assertEquals(byValue([...train.seen, ...test.seen]), [[0, "0"], [1, "1"], [3, "1"], [
        4,
        "0",
      ]]);
      assert(train.said.includes("Passed over 1 image whose .cls is none"), train.said);
    }
  }));

Deno.test("loadImageFolder() labels unpacked files by their .cls, and splits by folders", () =>
  inFolder(async (folder) => {
    const files: Record<string, Uint8Array> = {};
    for (let i = 0; i < 6; i++) {
      const key = `${i < 4 ? "train" : "test"}/${i}`;
      files[`${key}.jpeg.png`] = flat(i);
      files[`${key}.cls`] = text(`${i % 2}`);
    }
    await write(folder, files);
    assertEquals(byValue((await read(folder)).seen), [[0, "0"], [1, "1"], [2, "0"], [3, "1"]]);
    assertEquals(byValue((await read(folder, "", "test")).seen), [[4, "0"], [5, "1"]]);
  }));
