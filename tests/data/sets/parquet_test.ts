import type { RawImages, Split } from "../../../data/dataset.ts";
import type { PictureShape } from "../../../data/pixels/pictures.ts";
import { findParquet, loadParquet } from "../../../data/sets/parquet.ts";
import { encodePng } from "../../../formats/png.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { MissingPlaceError } from "../../../data/fetching/locate_files.ts";
import { FOREIGN_FILES, formulaImages } from "../../support/foreign_files.ts";
import { page, parquetFile, plainBytes } from "../../support/parquet_file.ts";
import { alone, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const FIT: PictureShape = { size: 8, channels: 3, crop: true, resize: "area" };

function load(
  dir: string,
  split: Split,
  { fit = FIT, say = () => {} }: { fit?: PictureShape; say?: (line: string) => void } = {},
): Promise<RawImages> {
  return loadParquet(split, dir, fit, say, alone(`${dir.split("/").slice(0, 3).join("/")}/cache`));
}

/** A file of some PNGs, and labels of 64 bits. */
function ownFile(images: readonly Uint8Array[], labels: readonly number[], name = "img") {
  const longs = new Uint8Array(BigInt64Array.from(labels, BigInt).buffer);
  return parquetFile([
    {
      name,
      pages: page(plainBytes(images.map((image) => [...image])), { count: images.length }),
      values: images.length,
    },
    {
      name: "label",
      type: 2,
      pages: page([...longs], { count: labels.length }),
      values: labels.length,
    },
  ], images.length);
}

function grey(side: number, value: number): Uint8Array {
  const data = new Uint8Array(side * side).fill(value);
  return encodePng({ width: side, height: side, channels: 1, data });
}

Deno.test("loadParquet() reads splits by the files' names, with the classes that the file notes", async () => {
  await inFolder(async (folder) => {
    await writeFiles(`${folder}/plain_text`, {
      "train-00000-of-00002.parquet": FOREIGN_FILES.parquetSnappy,
      "train-00001-of-00002.parquet": FOREIGN_FILES.parquetBrotli,
      "test-00000-of-00001.parquet": FOREIGN_FILES.parquetZstd,
    });
    const train = await load(folder, "train");
    assertEquals([train.count, train.height, train.width, train.channels], [9, 8, 8, 3]);
    const expected = formulaImages(6, 8, 8, 3);
    assertEquals(new Uint8Array(train.images.subarray(0, 6 * 192)), expected);
    assertEquals(new Uint8Array(train.images.subarray(6 * 192)), expected.subarray(0, 3 * 192));
    assertEquals([...train.labels!], [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    assertEquals(train.classNames, ["cat", "dog", "frog"]);
    const test = await load(folder, "test");
    assertEquals(new Uint8Array(test.images), expected);
  });
});

Deno.test("loadParquet() holds every tenth image out where no test split is named", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/all.parquet`;
    const images = Array.from({ length: 25 }, (_, i) => grey(8, i));
    await Deno.writeFile(path, ownFile(images, images.map((_, i) => i)));
    const lines: string[] = [];
    const train = await load(path, "train", { say: (line) => lines.push(line) });
    assert(lines[0]!.includes("every tenth of its images is held out"));
    const test = await load(path, "test");
    assertEquals([...test.labels!], [9, 19]);
    assertEquals(train.count, 23);
    assert(!train.labels!.includes(9) && train.images[9 * 192] === 10);
  });
});

Deno.test("loadParquet() brings images of any size, grey or RGB, to what is asked", async () => {
  await inFolder(async (folder) => {
    const wide = encodePng({
      width: 6,
      height: 2,
      channels: 3,
      data: Uint8Array.from({ length: 36 }, (_, i) => [200, 100, 50][i % 3]!),
    });
    const path = `${folder}/a.parquet`;
    await Deno.writeFile(path, ownFile([grey(4, 7), wide], [1, 300]));
    const lines: string[] = [];
    const say = (line: string) => lines.push(line);
    const set = await load(path, "train", {
      fit: { size: 2, channels: 1, crop: true, resize: "area" },
      say,
    });
    assertEquals([set.count, set.width, set.channels, set.labels], [2, 2, 1, null]);
    const luma = Math.round(0.299 * 200 + 0.587 * 100 + 0.114 * 50);
    assertEquals([...set.images], [7, 7, 7, 7, luma, luma, luma, luma]);
    assert(lines.some((line) => line.includes("300 is not 0 to 255")), lines.join("; "));
    const rgb = await load(path, "train", {
      fit: { size: 2, channels: 3, crop: true, resize: "bilinear" },
    });
    assertEquals([...rgb.images.subarray(0, 3), ...rgb.images.subarray(12, 15)], [
      7,
      7,
      7,
      200,
      100,
      50,
    ]);
  });
});

Deno.test("loadParquet() names the file and the row that cannot be decoded", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.parquet`;
    const refuses = async (part: string, file: Uint8Array) => {
      await Deno.writeFile(path, file);
      await assertRejects(() => load(path, "train"), SyntaxError, `Cannot read ${path}: ${part}`);
    };
    const damaged = grey(8, 1);
    damaged[40]! ^= 255;
    await refuses("the image of row 1: ", ownFile([grey(8, 1), damaged], [1, 2]));
    await refuses(
      "the image of row 0: it must begin as a PNG or a JPEG",
      ownFile([Uint8Array.of(1)], [0]),
    );
    await refuses("it must have a column of image bytes", ownFile([grey(8, 1)], [0], "picture"));
    await refuses('it must begin and end with "PAR1"', new Uint8Array(99));
  });
});

Deno.test("findParquet() refuses a place without files, and tells splits by whole words", async () => {
  await inFolder(async (folder) => {
    await assertRejects(() => findParquet(null, "train"), MissingPlaceError, "data.dir must name");
    await assertRejects(
      () => findParquet(`${folder}/x`, "train"),
      MissingPlaceError,
      "data.dir must name",
    );
    await assertRejects(() => findParquet(folder, "train"), Error, "must hold a file that ends in");
    const one = new Uint8Array(1);
    await writeFiles(`${folder}/set`, { "trainer.parquet": one, "contest.parquet": one });
    assertEquals((await findParquet(folder, "test")).shared, true);
    await writeFiles(`${folder}/set/train`, { "0.parquet": one, ".hidden": one });
    await writeFiles(`${folder}/set/validation`, { "0.parquet": one });
    assertEquals(await findParquet(folder, "train"), {
      paths: [`${folder}/set/train/0.parquet`],
      shared: false,
    });
    assertEquals((await findParquet(folder, "test")).paths, [`${folder}/set/validation/0.parquet`]);
  });
});
