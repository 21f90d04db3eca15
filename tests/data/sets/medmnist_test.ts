import { loadMedmnist, loadNpz, medmnistSide } from "../../../data/sets/medmnist.ts";
import { MEDMNIST_FACTS } from "../../../data/sets/medmnist_facts.ts";
import { type DataOptions, imageShape, SOURCE_NAMES } from "../../../data/options.ts";
import { loadImages } from "../../../data/registry.ts";
import { writeNpz } from "../../../formats/npy.ts";
import { readNpzImages } from "../../../formats/npz_images.ts";
import type { StoredTensor } from "../../../formats/safetensors.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../support/assert.ts";
import { MissingPlaceError } from "../../../data/fetching/locate_files.ts";
import { FOREIGN_FILES, formulaImages } from "../../support/foreign_files.ts";
import { alone, bytesOf, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const bytes = (shape: number[], seed = 1): StoredTensor => ({
  dtype: "U8",
  shape,
  data: bytesOf(shape.reduce((product, n) => product * n, 1), seed),
});
const labels = (...values: number[]): StoredTensor => ({
  dtype: "U8",
  shape: [values.length, 1],
  data: Uint8Array.from(values),
});

Deno.test("loadMedmnist() reads what NumPy wrote, each split", async () => {
  await inFolder(async (folder) => {
    await writeFiles(folder, { "breastmnist.npz": FOREIGN_FILES.npz });
    for (const [split, count] of [["train", 4], ["test", 3]] as const) {
      const set = await loadMedmnist("breastmnist", 28, split, folder, () => {}, alone(folder));
      assertEquals([set.count, set.height, set.width, set.channels], [count, 28, 28, 1]);
      assertEquals(new Uint8Array(set.images), formulaImages(count, 28, 28, 1));
      assertEquals([...set.labels!], [0, 1, 0, 1].slice(0, count));
      assertEquals(set.classNames, ["malignant", "normal, benign"]);
    }
  });
});

Deno.test("loadMedmnist() leaves several answers an image aside and says so", async () => {
  await inFolder(async (folder) => {
    const file = writeNpz([
      ["train_images", bytes([2, 28, 28])],
      ["train_labels", bytes([2, 14])],
    ]);
    await writeFiles(folder, { "chestmnist.npz": file });
    const lines: string[] = [];
    const say = (line: string) => lines.push(line);
    const set = await loadMedmnist("chestmnist", 28, "train", folder, say, alone(folder));
    assertEquals([set.labels, set.classNames], [null, undefined]);
    assert(lines.some((line) => line.includes("an image has 14, not one")));
  });
});

Deno.test("loadMedmnist() refuses another set's file, and names what is wrong with it", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/x.npz`;
    const refuses = async (part: string, file: Uint8Array) => {
      await Deno.writeFile(path, file);
      await assertRejects(
        () => loadMedmnist("breastmnist", 28, "train", path, () => {}, alone(folder)),
        SyntaxError,
        `Cannot read ${path}: ${part}`,
      );
    };
    const images = (shape: number[]) => ["train_images", bytes(shape)] as const;
    await refuses(
      "breastmnist must have images of 28x28x1, got 64x64x1",
      writeNpz([images([1, 64, 64])]),
    );
    await refuses(
      "breastmnist must have images of 28x28x1, got 28x28x3",
      writeNpz([images([1, 28, 28, 3])]),
    );
    await refuses(
      "label 1 must be 0 to 1, got 2",
      writeNpz([images([2, 28, 28]), ["train_labels", labels(0, 2)]]),
    );
    await refuses(
      "it must hold train_images, got test_images",
      writeNpz([["test_images", bytes([1, 28, 28])]]),
    );
    await refuses(
      "train_labels must have 2 rows as there are images, got shape [3,1]",
      writeNpz([images([2, 28, 28]), ["train_labels", labels(0, 1, 1)]]),
    );
    await refuses("it must end with a directory", new Uint8Array(100));
  });
});

Deno.test("loadNpz() reads any file of the layout, RGB too, and takes val where there is no test", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/own.npz`;
    await Deno.writeFile(
      path,
      writeNpz([
        ["train_images", bytes([2, 5, 7, 3])],
        ["train_labels", labels(3, 0)],
        ["val_images", bytes([1, 5, 7, 3], 9)],
      ], { compress: true }),
    );
    const train = await loadNpz("train", path, () => {}, alone(folder));
    assertEquals([train.count, train.height, train.width, train.channels], [2, 5, 7, 3]);
    assertEquals(train.classNames, ["0", "1", "2", "3"]);
    const test = await loadNpz("test", path, () => {}, alone(folder));
    assertEquals([test.count, test.labels], [1, null]);
    assertEquals(new Uint8Array(test.images), bytesOf(105, 9));
    for (const dir of [null, folder, `${folder}/none`]) {
      await assertRejects(
        () => loadNpz("train", dir, () => {}),
        MissingPlaceError,
        "data.dir must name an .npz",
      );
    }
  });
});

Deno.test("loadNpz() holds one image in ten out where there are training images alone", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/own.npz`;
    const values = Array.from({ length: 200 }, (_, i) => Math.floor(i / 20));
    const images: StoredTensor = {
      ...{ dtype: "U8", shape: [200, 1, 1] },
      data: Uint8Array.from(values, (_, i) => i),
    };
    const write = (name: string) =>
      Deno.writeFile(
        path,
        writeNpz([[`${name}_images`, images], [`${name}_labels`, labels(...values)]]),
      );
    await write("train");
    const lines: string[] = [];
    const load = (split: "train" | "test") =>
      loadNpz(split, path, (line) => lines.push(line), alone(folder));
    const train = await load("train"), test = await load("test");
    assertEquals([train.count, test.count], [180, 20]);
    assertEquals([...train.images, ...test.images].sort(), [...images.data as Uint8Array].sort());
    assert(new Set(test.labels).size > 5, `${test.labels}`);
    assert(lines[0]!.includes("has neither test_images nor val_images"));
    await write("x");
    await assertRejects(() => load("train"), SyntaxError, "must hold train_images, got x_images");
  });
});

Deno.test("loadImages() puts sets that may be sorted by class in a fixed order, any part has all", async () => {
  await inFolder(async (folder) => {
    const values = Array.from({ length: 100 }, (_, i) => Math.floor(i / 50));
    const side = 28 * 28;
    const images: StoredTensor = {
      ...{ dtype: "U8", shape: [100, 28, 28] },
      data: Uint8Array.from({ length: 100 * side }, (_, i) => Math.floor(i / side)),
    };
    await Deno.writeFile(
      `${folder}/breastmnist.npz`,
      writeNpz(["train", "test"].flatMap((name) =>
        [
          [`${name}_images`, images],
          [`${name}_labels`, labels(...values)],
        ] as const
      )),
    );
    for (const name of ["breastmnist", "npz"] as const) {
      const options = {
        ...{ name, dir: `${folder}/breastmnist.npz`, size: 28, channels: 1, crop: true },
        ...{ resize: "area", limit: 20, classes: null },
      } as DataOptions;
      const set = await loadImages(options, "train", () => {}, alone(folder));
      const ones = Array.from(set.labels!).reduce((sum, label) => sum + label, 0);
      assert(ones > 4 && ones < 16, `${ones} of 20 in ${name}`);
      // Labels go with their images.
      for (let i = 0; i < 20; i++) {
        assertEquals(set.labels![i], set.images[i * side]! < 50 ? 0 : 1);
      }
    }
  });
});

Deno.test("readNpzImages() refuses types and shapes that are no images", () => {
  const refuses = (part: string, images: StoredTensor, answers = labels(1)) =>
    assertThrows(
      () => readNpzImages(writeNpz([["train_images", images], ["train_labels", answers]]), "train"),
      SyntaxError,
      part,
    );
  refuses("got F32 [1,2,2]", { dtype: "F32", shape: [1, 2, 2], data: new Float32Array(4) });
  refuses("got U8 [1,2,2,4]", bytes([1, 2, 2, 4]));
  refuses("got U8 [4,4]", bytes([4, 4]));
  refuses("got U8 [0,2,2]", bytes([0, 2, 2]));
  const wide: StoredTensor = { dtype: "I64", shape: [1], data: BigInt64Array.of(300n) };
  refuses("label 0 of train_labels must be 0 to 255, got 300", bytes([1, 2, 2]), wide);
  const good: StoredTensor = { dtype: "I64", shape: [1], data: BigInt64Array.of(200n) };
  const file = writeNpz([["train_images", bytes([1, 2, 2])], ["train_labels", good]]);
  assertEquals([...readNpzImages(file, "train").labels!], [200]);
});

Deno.test("medmnistSide() takes the nearest side that the way of resizing can use", () => {
  const cases = [
    [null, "area", 28],
    [28, "area", 28],
    [32, "area", 64],
    [20, "area", 28],
    [100, "area", 128],
    [300, "area", 224],
    [32, "pad", 28],
    [64, "pad", 64],
    [32, "bilinear", 28],
    [46, "bicubic", 64],
    [500, "bilinear", 224],
  ] as const;
  for (const [size, resize, side] of cases) assertEquals(medmnistSide(size, resize), side);
  const options = { name: "bloodmnist", size: 100, resize: "area", classes: null } as DataOptions;
  assertEquals(imageShape(options), { size: 100, height: 100, width: 100, channels: 3 });
});

Deno.test("MEDMNIST_FACTS has a checksum for every file and a shape for every set", () => {
  const all = Object.entries(MEDMNIST_FACTS).flatMap(([name, { md5, classNames }]) => {
    assert((SOURCE_NAMES as string[]).includes(name) && classNames.length > 1);
    return md5;
  });
  assert(all.every((hash) => /^[0-9a-f]{32}$/.test(hash)));
  assertEquals(new Set(all).size, 48);
});
