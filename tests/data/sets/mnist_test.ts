import { assertEquals, assertRejects } from "../../support/assert.ts";
import { loadMnist } from "../../../data/sets/mnist.ts";
import { writeIdx } from "../../../formats/idx.ts";
import { alone, gzip, idxPair, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const IMAGES = "train-images-idx3-ubyte", LABELS = "train-labels-idx1-ubyte";

const load = (folder: string, split: "train" | "test" = "train") =>
  loadMnist("fashion-mnist", split, folder, () => {}, alone(`${folder}/no-cache`));

Deno.test("loadMnist() reads a split under every name that is in use", async () => {
  const { images, labels, imageFile, labelFile } = idxPair(12);
  const test = idxPair(3, 50);
  for (
    const files of [
      { [IMAGES]: imageFile, [LABELS]: labelFile },
      { [`${IMAGES}.gz`]: await gzip(imageFile), [`${LABELS}.gz`]: await gzip(labelFile) },
      { "train-images.idx3-ubyte": imageFile, "train-labels.idx1-ubyte": labelFile },
      { [IMAGES]: await gzip(imageFile), [`${LABELS}.gz`]: await gzip(labelFile) },
    ]
  ) {
    await inFolder(async (folder) => {
      await writeFiles(folder, {
        ...files,
        "t10k-images-idx3-ubyte": test.imageFile,
        "t10k-labels-idx1-ubyte": test.labelFile,
      });
      const raw = await load(folder);
      assertEquals(raw.images, images);
      assertEquals(raw.labels, labels);
      assertEquals([raw.count, raw.height, raw.width, raw.channels], [12, 28, 28, 1]);
      assertEquals(raw.classNames?.length, 10);
      assertEquals((await load(folder, "test")).images, test.images);
    });
  }
});

Deno.test("loadMnist() names the damaged file and the byte", async () => {
  const { imageFile, labelFile, labels } = idxPair(12);
  const changed = (bytes: Uint8Array, at: number, value: number) => bytes.with(at, value);
  const packed = await gzip(imageFile);
  const cases: [Record<string, Uint8Array>, string][] = [
    [{ [IMAGES]: imageFile.subarray(0, 500) }, `${IMAGES}: byte 500 must exist`],
    [{ [IMAGES]: changed(imageFile, 2, 9) }, `${IMAGES}: byte 2 must be 0x08`],
    [{ [IMAGES]: changed(imageFile, 7, 13) }, `${IMAGES}: byte ${imageFile.length} must exist`],
    [{ [IMAGES]: labelFile }, `${IMAGES}: the shape must be [count, 28, 28], got [12]`],
    [
      { [IMAGES]: writeIdx({ shape: [0, 28, 28], data: new Uint8Array(0) }) },
      "must be [count, 28, 28], got [0, 28, 28]",
    ],
    [{ [IMAGES]: packed.subarray(0, 900) }, IMAGES],
    [{ [IMAGES]: changed(packed, 600, packed[600]! ^ 255) }, IMAGES],
    [
      { [LABELS]: writeIdx({ shape: [11], data: labels.slice(1) }) },
      `${LABELS}: the shape must be [12] as there are images, got [11]`,
    ],
    [
      { [LABELS]: changed(labelFile, 8 + 5, 10) },
      `${LABELS}: byte 13 (the label of image 5) must be 0 to 9, got 10`,
    ],
  ];
  for (const [files, part] of cases) {
    await inFolder(async (folder) => {
      await writeFiles(folder, { [IMAGES]: imageFile, [LABELS]: labelFile, ...files });
      const error = await assertRejects(() => load(folder), Error, part);
      assertEquals(/^Cannot (read|decompress) /.test(error.message), true, error.message);
    });
  }
});

Deno.test("loadMnist() finds the set in torchvision's root, its folders, and unpacked files in folders", async () => {
  await inFolder(async (folder) => {
    const { images, imageFile, labelFile } = idxPair(4);
    const other = idxPair(4, 50);
    const plain = IMAGES.replace(".gz", ""), plainLabels = LABELS.replace(".gz", "");
    await writeFiles(`${folder}/root/MNIST/raw`, {
      [plain]: imageFile,
      [plainLabels]: labelFile,
    });
    await writeFiles(`${folder}/root/FashionMNIST/raw`, {
      [plain]: other.imageFile,
      [plainLabels]: other.labelFile,
    });
    await writeFiles(`${folder}/doubled/${plain}`, { [plain]: imageFile });
    await writeFiles(`${folder}/doubled`, { [plainLabels.replace("-idx", ".idx")]: labelFile });
    const from = async (name: "mnist" | "fashion-mnist", dir: string) =>
      (await loadMnist(name, "train", `${folder}/${dir}`, () => {}, alone(folder))).images;
    for (const dir of ["root", "root/MNIST", "root/MNIST/raw", "doubled"]) {
      assertEquals(await from("mnist", dir), images, dir);
    }
    assertEquals(await from("fashion-mnist", "root"), other.images);
    await Deno.remove(`${folder}/root/FashionMNIST`, { recursive: true });
    await assertRejects(() => from("fashion-mnist", "root"), Error, "data.dir must hold it");
  });
});
