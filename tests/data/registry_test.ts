import { withDefaults } from "../../support/options.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { firstImages, imageSet } from "../../data/dataset.ts";
import { DATA, type DataOptions } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import { areaDown } from "../../data/pixels/resize.ts";
import { encodePng } from "../../formats/png.ts";
import { alone, bytesOf, cifarFiles, idxPair, writeFiles } from "./fixtures.ts";
import { inFolder } from "../support/folder.ts";

const OPTIONS: DataOptions = {
  ...withDefaults(DATA, { name: "synthetic", flip: false, holdout: 5 }),
  synthetic: { kind: "field", power: 2, dims: 2, depth: null, channels: 3, count: 12 },
};

Deno.test("loadImages() makes synthetic splits of the asked size", async () => {
  const train = await loadImages({ ...OPTIONS, size: 8 }, "train", () => {});
  assertEquals([train.name, train.count, train.height, train.channels], [
    "synthetic train",
    12,
    8,
    3,
  ]);
  const test = await loadImages(OPTIONS, "test", () => {});
  assertEquals([test.name, test.count, test.height], ["synthetic test", 5, 32]);
  const none = await loadImages({ ...OPTIONS, holdout: 0 }, "test", () => {});
  assertEquals(none.count, 1);
});

Deno.test("loadImages() cuts the training split at the limit, and says when it is beyond", async () => {
  const lines: string[] = [];
  const say = (line: string) => lines.push(line);
  const cut = await loadImages({ ...OPTIONS, limit: 4 }, "train", say);
  assertEquals([cut.count, cut.images.length, lines.length], [4, 4 * 3072, 0]);
  const all = await loadImages({ ...OPTIONS, limit: 40 }, "train", say);
  assertEquals(all.count, 12);
  assertEquals(lines, ["data.limit is 40, but synthetic has 12 training images"]);
  const test = await loadImages({ ...OPTIONS, limit: 4 }, "test", say);
  assertEquals(test.count, 5);
});

Deno.test("loadImages() reads files and brings them to the size", async () => {
  await inFolder(async (folder) => {
    const { images, imageFile, labelFile } = idxPair(6);
    await writeFiles(folder, {
      "train-images-idx3-ubyte": imageFile,
      "train-labels-idx1-ubyte": labelFile,
      ...Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes])),
    });
    const load = (options: Partial<DataOptions>) =>
      loadImages({ ...OPTIONS, dir: folder, ...options }, "train", () => {}, alone(folder));
    const shape = { count: 6, height: 28, width: 28, channels: 1, images };
    for (const name of ["mnist", "fashion-mnist"] as const) {
      assertEquals((await load({ name })).images, images);
      assertEquals((await load({ name, size: 16 })).images, areaDown(shape, 16).images);
      const padded = await load({ name, size: 32, resize: "pad" });
      assertEquals([padded.height, padded.width, padded.images.length], [32, 32, 6 * 1024]);
      await assertRejects(() => load({ name, size: 32 }), RangeError, "pad make images larger");
    }
    const cifar = await load({ name: "cifar10", limit: 7 });
    assertEquals([cifar.name, cifar.count, cifar.channels], ["cifar10 train", 7, 3]);
  });
});

Deno.test("loadImages() reads a folder of pictures as a set of the asked shape", async () => {
  await inFolder(async (folder) => {
    const set = `${folder}/set`;
    const picture = (value: number, width: number, height: number) =>
      encodePng({ width, height, channels: 1, data: bytesOf(width * height, value) });
    for (const split of ["train", "test"]) {
      await writeFiles(`${set}/${split}/a`, {
        "1.png": picture(1, 9, 12),
        "2.png": picture(2, 8, 8),
      });
      await writeFiles(`${set}/${split}/b`, { "3.png": picture(3, 40, 10) });
    }
    const load = (options: Partial<DataOptions>, split: "train" | "test" = "train") => {
      const all = { ...OPTIONS, name: "folder" as const, dir: set, size: 8, ...options };
      return loadImages(all, split, () => {}, alone(folder));
    };
    const colour = await load({});
    assertEquals([colour.name, colour.count, colour.channels], ["folder train", 3, 3]);
    assertEquals(colour.classNames, ["a", "b"]);
    const grey = await load({ channels: 1 });
    assertEquals(grey.images.length, 3 * 64);
    assertEquals(grey.images, colour.images.filter((_, i) => i % 3 === 0));
    assertEquals((await load({ limit: 2 }, "train")).count, 2);
    assertEquals((await load({}, "test")).count, 3);
    const checksums = new Set<string>();
    for (
      const options of [{}, { resize: "bicubic" }, { resize: "bilinear" }, { crop: false }] as const
    ) {
      checksums.add((await load(options)).checksum);
    }
    assertEquals(checksums.size, 4);
    const padded = await load({ size: 48, resize: "pad" });
    assertEquals(padded.images.length, 3 * 48 * 48 * 3);
    // One of them has one byte too few; passed over, it is no more.
    await writeFiles(`${set}/train/b`, { "4.png": picture(4, 8, 8).subarray(1) });
    await assertRejects(() => load({}), Error, "4.png: it must begin");
    assertEquals((await load({ skipBroken: true })).checksum, colour.checksum);
  });
});

Deno.test("imageSet() has equal checksums for equal sets alone", () => {
  const raw = {
    count: 2,
    height: 1,
    width: 1,
    channels: 1,
    images: new Uint8Array([1, 2]),
    labels: null,
  };
  const { checksum } = imageSet("a", raw);
  assertEquals(imageSet("b", { ...raw, images: new Uint8Array([1, 2]) }).checksum, checksum);
  const others = [
    { ...raw, images: new Uint8Array([1, 3]) },
    { ...raw, labels: new Uint8Array(2) },
    { ...raw, count: 1, width: 2 },
  ];
  for (const other of others) assert(imageSet("a", other).checksum !== checksum);
});

Deno.test("imageSet() refuses sizes that do not fit", () => {
  const raw = {
    count: 2,
    height: 1,
    width: 1,
    channels: 1,
    images: new Uint8Array(3),
    labels: null,
  };
  assertThrows(() => imageSet("a", raw), RangeError, "2 bytes, got 3");
  const labelled = { ...raw, images: new Uint8Array(2), labels: new Uint8Array(1) };
  assertThrows(() => imageSet("a", labelled), RangeError, "as many labels, got 1");
});

Deno.test("firstImages() cuts images and labels", () => {
  const raw = {
    count: 3,
    height: 1,
    width: 2,
    channels: 1,
    images: new Uint8Array([1, 2, 3, 4, 5, 6]),
    labels: new Uint8Array([7, 8, 9]),
  };
  const cut = firstImages(raw, 2);
  assertEquals([cut.count, ...cut.images, ...cut.labels], [2, 1, 2, 3, 4, 7, 8]);
  assert(firstImages(raw, 3) === raw && firstImages(raw, 99) === raw);
});
