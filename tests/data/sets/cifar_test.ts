import { assertEquals, assertRejects } from "../../support/assert.ts";
import { type CifarName, loadCifar } from "../../../data/sets/cifar.ts";
import { CIFAR_100, readCifarBinary, writeCifarBinary } from "../../../formats/cifar_binary.ts";
import { writeTar } from "../../formats/tar_writer.ts";
import { cifarPickle } from "../../support/cifar_pickle.ts";
import { FOREIGN_FILES, formulaImages } from "../../support/foreign_files.ts";
import { alone, cifarArchive, cifarBatch, cifarFiles, gzip, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

/** Loads from a folder that stands in for the cache as well, so that nothing is kept elsewhere. */
const load = (dir: string, split: "train" | "test" = "train", name: CifarName = "cifar10") =>
  loadCifar(name, split, dir, () => {}, alone(`${dir.split("/").slice(0, 3).join("/")}/cache`));

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

Deno.test("loadCifar() reads a folder, a folder above it, an archive, and an archive's folder", async () => {
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

Deno.test("loadCifar() names the file and the record that are damaged", async () => {
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

Deno.test("loadCifar() refuses a damaged archive and names it", async () => {
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

Deno.test("loadCifar() refuses a set with missing batches", async () => {
  const files = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
  delete files["data_batch_4.bin"];
  await inFolder(async (folder) => {
    await writeFiles(folder, files);
    const error = await assertRejects(
      () => loadCifar("cifar10", "train", folder, () => {}, withoutNetwork(folder)),
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

/** The five batches and the test batch as the python version has them. */
function pythonFiles(): Record<string, Uint8Array> {
  const files = cifarFiles().map(({ name, bytes }) => {
    const { images, labels } = readCifarBinary(bytes);
    return [name.replace(".bin", ""), cifarPickle({ images, labels })] as const;
  });
  return Object.fromEntries(files);
}

async function packed(inner: string, files: Record<string, Uint8Array>) {
  const entries = Object.entries(files).map(([name, bytes]) => ({
    name: `${inner}/${name}`,
    bytes,
  }));
  return await gzip(writeTar(entries));
}

Deno.test("loadCifar() reads the python version from a folder and an archive, to the same images", async () => {
  const files = pythonFiles();
  await inFolder(async (folder) => {
    await writeFiles(`${folder}/plain/cifar-10-batches-py`, files);
    const archive = await packed("cifar-10-batches-py", {
      "batches.meta": Uint8Array.of(1),
      ...files,
    });
    await writeFiles(`${folder}/packed`, { "cifar-10-python.tar.gz": archive });
    for (const place of ["plain", "plain/cifar-10-batches-py", "packed"]) {
      checkTrain(await load(`${folder}/${place}`));
      assertEquals((await load(`${folder}/${place}`, "test")).images, TEST.images);
    }
  });
});

Deno.test("loadCifar() names the batch that an archive lacks", async () => {
  const { data_batch_4: _, ...files } = pythonFiles();
  await inFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`;
    await Deno.writeFile(path, await packed("cifar-10-batches-py", files));
    await assertRejects(
      () => load(path),
      SyntaxError,
      "train split must be whole in it, got no data_batch_4",
    );
    assertEquals((await load(path, "test")).count, TEST.labels.length);
  });
});

Deno.test("loadCifar() reads CIFAR-100 in both versions, by its fine labels", async () => {
  const images = new Uint8Array(formulaImages(2, 32, 32, 3));
  const binary = writeCifarBinary({ images, labels: Uint8Array.of(99, 7) }, CIFAR_100);
  const python = FOREIGN_FILES.cifar100Protocol4;
  await inFolder(async (folder) => {
    await writeFiles(`${folder}/binary`, { "train.bin": binary, "test.bin": binary });
    await writeFiles(`${folder}/python`, { train: python, test: python });
    const archive = await packed("cifar-100-python", { train: python, test: python });
    await writeFiles(`${folder}/packed`, { "cifar-100-python.tar.gz": archive });
    for (const version of ["binary", "python", "packed"]) {
      const set = await load(`${folder}/${version}`, "train", "cifar100");
      assertEquals([set.count, ...set.labels!], [2, 99, 7]);
      assertEquals(new Uint8Array(set.images), images);
      assertEquals([set.classNames!.length, set.classNames![99], set.classNames![7]], [
        100,
        "worm",
        "beetle",
      ]);
    }
  });
});

Deno.test("loadCifar() keeps what an archive holds, and reads an archive that has changed again", async () => {
  const archive = await cifarArchive();
  await inFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`;
    await Deno.writeFile(path, archive);
    const lines: string[] = [];
    const loadIt = () =>
      loadCifar("cifar10", "test", path, (line) => lines.push(line), alone(folder));
    const first = await loadIt();
    assertEquals(lines.length, 1);
    assertEquals((await loadIt()).images, first.images);
    assertEquals(lines.length, 1);
    await Deno.writeFile(path, await packed("x", { test_batch: FOREIGN_FILES.npz }));
    await assertRejects(loadIt, SyntaxError, "test_batch");
  });
});
