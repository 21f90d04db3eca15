import { firstImages, type RawImages, type Split } from "../../../data/dataset.ts";
import type { DataOptions } from "../../../data/options.ts";
import { loadImages } from "../../../data/registry.ts";
import { UsageError } from "../../../support/errors.ts";
import { findParquet, loadParquet } from "../../../data/sets/parquet.ts";
import type { RowOptions } from "../../../data/sets/row_files.ts";
import { encodePng } from "../../../formats/png.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { MissingPlaceError } from "../../../data/fetching/locate_files.ts";
import { FOREIGN_FILES, formulaImages } from "../../support/foreign_files.ts";
import { page, parquetFile, plainBytes } from "../../support/parquet_file.ts";
import { alone, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const FIT: RowOptions = {
  ...{ size: 8, channels: 3, crop: true, resize: "area", skipBroken: false } as const,
  ...{ imageColumn: null, labelColumn: null },
};

const OPTIONS = {
  ...{ name: "parquet", ...FIT, flip: false, limit: null, classes: null, holdout: 5 },
} as DataOptions;

function load(
  dir: string,
  split: Split,
  { fit = {}, say = () => {} }: { fit?: Partial<RowOptions>; say?: (line: string) => void } = {},
): Promise<RawImages> {
  const cache = `${dir.split("/").slice(0, 3).join("/")}/cache`;
  return loadParquet(split, dir, { ...FIT, ...fit }, say, alone(cache));
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

Deno.test("loadParquet() holds one image in ten out of all classes where no test split is named", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/all.parquet`;
    const count = 1000;
    const images = Array.from({ length: count }, (_, i) => grey(8, i % 251));
    // Sorted, in turn, and in turn twice as fast as one in ten is taken.
    for (
      const [classes, labelOf] of [
        [10, (i: number) => Math.floor(i / 100)],
        [10, (i: number) => i % 10],
        [5, (i: number) => i % 5],
      ] as const
    ) {
      await Deno.writeFile(path, ownFile(images, images.map((_, i) => labelOf(i))));
      const lines: string[] = [];
      const say = (line: string) => lines.push(line);
      const train = await loadImages({ ...OPTIONS, dir: path }, "train", say, alone(folder));
      assert(lines[0]!.includes("one image in 10 is held out"));
      const test = await loadImages({ ...OPTIONS, dir: path }, "test", say, alone(folder));
      assertEquals([train.count, test.count], [900, 100]);
      const limited = { ...OPTIONS, dir: path, limit: 100 };
      const some = await loadImages(limited, "train", () => {}, alone(folder));
      for (const { labels } of [test, some, firstImages(train, 100)]) {
        for (let label = 0; label < classes; label++) {
          const found = labels!.filter((own) => own === label).length;
          const share = 100 / classes;
          assert(found > share / 4 && found < share * 2.5, `${found} of class ${label}`);
        }
      }
      // Every image is in one of the two, once.
      const seen = [train, test].flatMap(({ images, count }) =>
        Array.from({ length: count }, (_, i) => images[i * 192]!)
      );
      assertEquals(seen.sort(), images.map((_, i) => i % 251).sort());
    }
  });
});

Deno.test("loadParquet() passes over broken rows if it may, counts them and names one", async () => {
  await inFolder(async (folder) => {
    const cut = grey(8, 4).subarray(0, 50);
    const gif = new TextEncoder().encode("GIF89a0000000000");
    for (const [broken, why] of [[cut, "row 4"], [gif, "a GIF picture"]] as const) {
      const images = Array.from({ length: 12 }, (_, i) => i === 4 ? broken : grey(8, i));
      const set = `${folder}/set`;
      await writeFiles(set, { "train.parquet": ownFile(images, images.map((_, i) => i)) });
      await writeFiles(set, { "test.parquet": ownFile([broken], [1]) });
      const lines: string[] = [];
      const say = (line: string) => lines.push(line);
      for (let time = 0; time < 2; time++) {
        const train = await load(set, "train", { fit: { skipBroken: true }, say });
        assertEquals([...train.labels!], [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]);
        assertEquals(train.images[4 * 192], 5);
        assert(lines.at(-1)!.includes(why) || lines.at(-2)!.includes(why), lines.join("; "));
        assert(lines.join().includes("Passed over 1 of 12 images"), lines.join("; "));
        lines.length = 0;
      }
      await assertRejects(
        () => load(set, "train"),
        SyntaxError,
        "data.skipBroken=true passes over",
      );
      const none = () => load(set, "test", { fit: { skipBroken: true } });
      await assertRejects(none, Error, "one image at least must be whole");
    }
  });
});

Deno.test("findParquet() merges no two sets, and says which folders to choose from", async () => {
  const one = new Uint8Array(1);
  const refused: [string[], string][] = [
    [["full/train-0.parquet", "cropped/train-0.parquet"], "SET/cropped"],
    [["full/train/0000.parquet", "full/test/0000.parquet", "small/train/0000.parquet"], "SET/full"],
    [["train.parquet", "other/train.parquet"], "files in the folder itself"],
    [["mnist-train.parquet", "mnist-test.parquet", "svhn-train.parquet"], "mnist, svhn"],
  ];
  const taken = [
    ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002-ab12.parquet"],
    ["default/partial-train/0000.parquet", "default/partial-test/0000.parquet"],
    ["train/0.parquet", "validation/0.parquet", "._0.parquet"],
    ["a.parquet", "b.parquet"],
  ];
  for (const files of [...refused.map(([files]) => files), ...taken]) {
    await inFolder(async (folder) => {
      for (const name of files) {
        await writeFiles(`${folder}/set/${name}/..`.replace(/\/[^/]*\/\.\.$/, ""), {
          [name.split("/").at(-1)!]: one,
        });
      }
      const find = () => findParquet(`${folder}/set`, "train");
      const why = refused.find(([own]) => own === files)?.[1].replace("SET", `${folder}/set`);
      if (why === undefined) assert((await find()).paths.length > 0);
      else await assertRejects(find, UsageError, why);
    });
  }
});

Deno.test("loadParquet() brings images of any size, grey or RGB, to what is asked", async () => {
  await inFolder(async (folder) => {
    const wide = encodePng({
      width: 6,
      height: 2,
      channels: 3,
      data: Uint8Array.from({ length: 36 }, (_, i) => [200, 100, 50][i % 3]!),
    });
    const path = `${folder}/set`;
    const file = ownFile([grey(4, 7), wide], [1, 70000]);
    await writeFiles(path, { "train.parquet": file, "test.parquet": file });
    const lines: string[] = [];
    const say = (line: string) => lines.push(line);
    const set = await load(path, "train", {
      fit: { size: 2, channels: 1, crop: true, resize: "area" },
      say,
    });
    assertEquals([set.count, set.width, set.channels, set.labels], [2, 2, 1, null]);
    const luma = Math.round(0.299 * 200 + 0.587 * 100 + 0.114 * 50);
    assertEquals([...set.images], [7, 7, 7, 7, luma, luma, luma, luma]);
    assert(lines.some((line) => line.includes("70000 is not 0 to 65535")), lines.join("; "));
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
    await refuses("the image of row 0: ", ownFile([damaged], [1]));
    await refuses(
      "the image of row 0: it must begin as a PNG, a JPEG or a WebP",
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
    for (const [train, test] of [["training", "testing"], ["train1", "test1"], ["train", "dev"]]) {
      const place = `${folder}/${test}`;
      await writeFiles(place, { [`${train}.parquet`]: one, [`${test}.parquet`]: one });
      const found = await findParquet(place, "test");
      assertEquals(found, { paths: [`${place}/${test}.parquet`], shared: false });
    }
  });
});
