import { CATALOGUE, placeOf, waysTo } from "../../../data/catalogue.ts";
import type { ImageSet } from "../../../data/dataset.ts";
import { imageSet } from "../../../data/dataset.ts";
import { DATASET_NAMES, SOURCE_NAMES } from "../../../data/options.ts";
import { decodePng } from "../../../formats/png.ts";
import {
  catalogueTable,
  classesTable,
  countRemarks,
  splitsOf,
  splitsTable,
} from "../../../commands/data/overview.ts";
import { setGrid } from "../../../commands/shared/set_grid.ts";
import { cifarFiles, gzip, idxPair, writeFiles } from "../../data/fixtures.ts";
import { inFolder } from "../../support/folder.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";

/** Images of one pixel, whose value is their place, of the given labels. */
function set(labels: number[] | null, classes: number, count = labels?.length ?? 0): ImageSet {
  return imageSet("toy train", {
    images: Uint8Array.from({ length: count }, (_, i) => i + 1),
    labels: labels && Uint8Array.from(labels),
    count,
    height: 1,
    width: 1,
    channels: 1,
    classNames: Array.from({ length: classes }, (_, label) => `class ${label}`),
  });
}

/** A table as the words of its rows. */
function cells(table: string): string[][] {
  return table.split("\n").filter((line) => line.includes("│")).map((line) =>
    line.split("│").slice(1, -1).map((cell) => cell.trim())
  );
}

Deno.test("catalogueTable() has a row for every set, and says which are here", async () => {
  await inFolder(async (folder) => {
    const files = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
    await writeFiles(`${folder}/cifar10`, files);
    await writeFiles(`${folder}/svhn`, { "test_32x32.mat": new Uint8Array(1) });
    const rows = new Map(cells(await catalogueTable(folder)).map((row) => [row[0]!, row]));
    for (const name of DATASET_NAMES) assert(rows.has(name), `${name} is missing`);
    assertEquals(rows.get("cifar10")!.slice(1, 5), ["50000", "10000", "32x32x3", "10"]);
    assertEquals(rows.get("cifar10")![6], `${folder}/cifar10`);
    assertEquals(rows.get("svhn")!.slice(5), [
      "246.3 MB from ufldl.stanford.edu",
      `test alone, ${folder}/svhn`,
    ]);
    assertEquals(rows.get("cifar100")![6], "no");
    assertEquals(await placeOf(CATALOGUE.get("cifar10")!, "train", folder), `${folder}/cifar10`);
  });
});

Deno.test("CATALOGUE knows every set that is read from files", () => {
  const names = SOURCE_NAMES.filter((name) => name !== "synthetic");
  assertEquals([...CATALOGUE.keys()].sort(), [...names].sort());
  assertStringIncludes(
    waysTo(CATALOGUE.get("fashion-mnist")!),
    "Debian's package dataset-fashion-mnist",
  );
  assertEquals(waysTo(CATALOGUE.get("bloodmnist")!), "a file of zenodo.org");
});

Deno.test("splitsTable() and classesTable() count images and classes", () => {
  const one = set([0, 1, 1, 2], 3);
  assertEquals(cells(splitsTable([one]))[1], [
    "toy train",
    "4",
    "1x1",
    "1",
    "3",
    "1 to 4",
    "2.5",
    one.checksum.slice(0, 12),
  ]);
  assertEquals(cells(classesTable([one])!).slice(1), [
    ["0", "class 0", "1"],
    ["1", "class 1", "2"],
    ["2", "class 2", "1"],
  ]);
  assertEquals(classesTable([set(null, 0, 3)]), null);
  const many = set(Array.from({ length: 60 }, (_, i) => i % 50), 50);
  assertEquals(classesTable([many]), "toy train: 50 classes of 1 to 2 images");
});

Deno.test("countRemarks() tells sets that are not what was published, unless a limit cut them", () => {
  const small = set([0], 1);
  assertEquals(countRemarks("mnist", null, [["train", small]]), [
    "toy train has 1 images; the published set, 60000",
  ]);
  assertEquals(countRemarks("mnist", 1, [["train", small]]), []);
  assertEquals(countRemarks("mnist", 1, [["test", small]]).length, 1);
  assertEquals(countRemarks("synthetic", null, [["train", small]]), []);
});

Deno.test("setGrid() gives each class a row, and spreads over the set where there are no classes", () => {
  const scaled = setGrid(set([1, 0, 1, 1, 0], 2), 4);
  const scale = 64, pitch = scale * 3;
  const at = (row: number, column: number) =>
    scaled.data[(row * pitch + 2 * scale) * scaled.width + column * pitch + 2 * scale];
  assertEquals([scaled.width, scaled.height], [scale * 8, scale * 8]);
  assertEquals([at(0, 0), at(0, 1), at(1, 0), at(1, 1)], [2, 5, 1, 3]);
  const plain = setGrid(set(null, 0, 100), 4);
  const place = (row: number, column: number) =>
    plain.data[(row * pitch + 2 * scale) * plain.width + column * pitch + 2 * scale];
  assertEquals([place(0, 0), place(0, 1), place(1, 0), place(1, 1)], [1, 26, 51, 76]);
});

Deno.test("splitsOf() tells a split from a set's name", () => {
  assertEquals(splitsOf("mnist"), ["train", "test"]);
  assertEquals(splitsOf("mnist:test"), ["test"]);
  assertEquals(splitsOf("mnist:train"), ["train"]);
});

Deno.test("deno task data shows a set, writes its grid, and exits 2 for an unknown one", async () => {
  await inFolder(async (folder) => {
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          new URL("../../../commands/data/main.ts", import.meta.url).pathname,
          ...args,
        ],
        cwd: folder,
        env: { NO_COLOR: "1", DIFFRACT_CACHE: folder },
      }).output();
      const text = new TextDecoder();
      return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    };
    const shown = await run(
      "synthetic",
      "--data.synthetic.kind=shapes",
      "--data.synthetic.count=40",
    );
    assertEquals(shown.code, 0, shown.stderr);
    assertStringIncludes(shown.stdout, "synthetic train");
    assertStringIncludes(shown.stdout, "Wrote runs/data/synthetic-train.png");
    const { channels } = decodePng(await Deno.readFile(`${folder}/runs/data/synthetic-train.png`));
    assertEquals(channels, 3);
    const { imageFile, labelFile } = idxPair(20);
    const packed = await gzip(imageFile);
    await writeFiles(`${folder}/cut`, {
      "train-images-idx3-ubyte.gz": packed.subarray(0, packed.length - 400),
      "train-labels-idx1-ubyte": labelFile,
      "t10k-images-idx3-ubyte": imageFile,
      "t10k-labels-idx1-ubyte": labelFile,
    });
    const cut = await run("mnist", "--data.dir=cut");
    assertEquals(cut.code, 1);
    assertStringIncludes(cut.stdout, "mnist test");
    assertStringIncludes(cut.stderr, "cut/train-images-idx3-ubyte.gz");
    assertEquals((await run("mnist:test", "--data.dir=cut")).code, 0);
    const unknown = await run("cifar11");
    assertEquals([unknown.code, unknown.stdout], [2, ""]);
    assertStringIncludes(unknown.stderr, "Cannot use the data set cifar11");
  });
});
