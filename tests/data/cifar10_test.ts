import { assertEquals, assertRejects } from "../support/assert.ts";
import { loadCifar10 } from "../../data/cifar10.ts";
import {
  alone,
  cifarArchive,
  cifarBatch,
  cifarFiles,
  gzip,
  inFolder,
  writeFiles,
} from "./fixtures.ts";

const load = (dir: string, split: "train" | "test" = "train") =>
  loadCifar10(split, dir, () => {}, alone("/nonexistent/cache"));

/** What the fixture's splits must give, in the order of the batches. */
const TRAIN = [1, 2, 3, 4, 5].map((n) => cifarBatch(n + 1, n));
const TEST = cifarBatch(7, 6);

function checkTrain(raw: Awaited<ReturnType<typeof load>>): void {
  assertEquals([raw.count, raw.height, raw.width, raw.channels], [20, 32, 32, 3]);
  assertEquals([...raw.labels!], TRAIN.flatMap(({ labels }) => [...labels]));
  let at = 0;
  for (const { images } of TRAIN) {
    assertEquals(raw.images.subarray(at, at += images.length), images);
  }
}

Deno.test("loadCifar10() reads a folder, a folder above it, an archive, and an archive's folder", async () => {
  const archive = await cifarArchive();
  const files = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
  await inFolder(async (folder) => {
    await writeFiles(`${folder}/plain/cifar-10-batches-bin`, files);
    await writeFiles(`${folder}/packed`, { "cifar-10-binary.tar.gz": archive });
    for (
      const place of [
        "plain/cifar-10-batches-bin",
        "plain",
        "packed/cifar-10-binary.tar.gz",
        "packed",
      ]
    ) {
      checkTrain(await load(`${folder}/${place}`));
      const test = await load(`${folder}/${place}`, "test");
      assertEquals(test.images, TEST.images);
      assertEquals(test.labels, TEST.labels);
      assertEquals(test.classNames?.[9], "truck");
    }
  });
});

Deno.test("loadCifar10() names the file and the record that are damaged", async () => {
  const files = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
  await inFolder(async (folder) => {
    await writeFiles(folder, {
      ...files,
      "data_batch_3.bin": files["data_batch_3.bin"]!.with(3073, 99),
    });
    await assertRejects(
      () => load(folder),
      SyntaxError,
      `Cannot read ${folder}/data_batch_3.bin: byte 3073 (the label of record 1)`,
    );
    await writeFiles(folder, { "data_batch_3.bin": files["data_batch_3.bin"]!.subarray(0, 4000) });
    await assertRejects(() => load(folder), SyntaxError, "record 1 must end at byte 6146");
  });
});

Deno.test("loadCifar10() refuses a damaged archive and names it", async () => {
  const archive = await cifarArchive();
  await inFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`;
    const refuses = async (bytes: Uint8Array, part: string) => {
      await Deno.writeFile(path, bytes);
      await assertRejects(() => load(path), SyntaxError, part);
    };
    await refuses(archive.subarray(0, archive.length >> 1), path);
    await refuses(archive.with(40, archive[40]! ^ 255), path);
    await refuses(new Uint8Array(0), path);
    await refuses(await gzip(new Uint8Array(2048)), "at least one entry");
  });
});

Deno.test("loadCifar10() refuses a set with missing batches", async () => {
  const files = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
  delete files["data_batch_4.bin"];
  await inFolder(async (folder) => {
    await writeFiles(folder, files);
    const error = await assertRejects(
      () => loadCifar10("train", folder, () => {}, withoutNetwork(folder)),
      Error,
      "no data_batch_4.bin",
    );
    assertEquals(error.message.startsWith("Cannot find CIFAR-10: "), true);
  });
});

/** A cache whose place is taken by a file, so that a download fails before any connection. */
function withoutNetwork(folder: string) {
  Deno.writeFileSync(`${folder}/taken`, new Uint8Array(1));
  return alone(`${folder}/taken`);
}
