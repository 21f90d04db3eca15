/** Sets whose images are records of one file: TFRecord, and LMDB of LSUN. */
import { join } from "node:path";
import { DATA, type DataOptions } from "../../../data/options.ts";
import { loadImages, openImages } from "../../../data/registry.ts";
import { encodePng } from "../../../formats/png.ts";
import { withDefaults } from "../../../support/options.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { FOREIGN_FILES } from "../../support/foreign_files.ts";
import { exampleBytes, tfRecordFile } from "../../support/tfrecord_file.ts";
import { alone, writeFiles } from "../fixtures.ts";

const DEFAULTS = withDefaults(DATA, { size: 8, channels: 1 });

function flat(value: number): Uint8Array {
  const data = new Uint8Array(64).fill(value);
  return encodePng({ width: 8, height: 8, channels: 1, data });
}

Deno.test("tfrecord reads shards of TensorFlow Datasets, with splits and the names of classes", () =>
  inFolder(async (folder) => {
    const place = join(folder, "cifar10", "3.0.2");
    const shard = (values: readonly number[], image = "image") =>
      tfRecordFile(
        values.map((value) =>
          exampleBytes({ id: [new Uint8Array(1)], [image]: [flat(value)], label: [value % 2] })
        ),
      );
    await writeFiles(place, {
      "cifar10-train.tfrecord-00000-of-00002": shard([1, 2]),
      "cifar10-train.tfrecord-00001-of-00002": shard([3]),
      "cifar10-test.tfrecord-00000-of-00001": shard([4]),
      "label.labels.txt": new TextEncoder().encode("cat\ndog\n"),
      "dataset_info.json": new TextEncoder().encode("{}"),
    });
    const load = (split: "train" | "test", options: Partial<DataOptions> = {}) => {
      const data: DataOptions = { ...DEFAULTS, name: "tfrecord", dir: place, ...options };
      const open = data.stream ? openImages : loadImages;
      return open(data, split, () => {}, alone(join(folder, "cache")));
    };
    const train = await load("train");
    const seen = [0, 1, 2].map((
      i,
    ) => [train.images[64 * i]!, train.classNames![train.labels![i]!]!]);
    assertEquals(seen.sort(), [[1, "dog"], [2, "cat"], [3, "dog"]]);
    const test = await load("test");
    assertEquals([test.count, test.images[0]], [1, 4]);
    assertEquals((await load("train", { size: 4, stream: true })).count, 3);

    const path = join(place, "cifar10-test.tfrecord-00000-of-00001");
    const damaged = shard([4]);
    damaged[damaged.length - 9]! ^= 1;
    await Deno.writeFile(path, damaged);
    await assertRejects(
      () => load("test"),
      SyntaxError,
      `Cannot read ${path}: record 0 at byte 0: its bytes must match the checksum`,
    );
    await Deno.writeFile(path, shard([4], "picture"));
    await assertRejects(
      () => load("test"),
      SyntaxError,
      "got bytes in id, picture; data.imageColumn",
    );
    assertEquals((await load("test", { imageColumn: "picture" })).count, 1);
  }));

Deno.test("lsun reads LMDB databases as splits and classes; folder takes them as archives", () =>
  inFolder(async (folder) => {
    const place = join(folder, "lsun");
    const lmdb = FOREIGN_FILES.lmdb;
    for (const name of ["bedroom_train", "bedroom_val", "church_outdoor_train", "tower_val"]) {
      await writeFiles(join(place, `${name}_lmdb`), {
        "data.mdb": lmdb,
        "lock.mdb": new Uint8Array(8),
      });
    }
    const load = (
      name: "lsun" | "folder",
      dir: string,
      split: "train" | "test",
      stream = false,
    ) => {
      const data: DataOptions = { ...DEFAULTS, name, dir, stream };
      return (stream ? openImages : loadImages)(
        data,
        split,
        () => {},
        alone(join(folder, "cache")),
      );
    };
    const train = await load("lsun", place, "train"), test = await load("lsun", place, "test");
    assertEquals([train.count, test.count], [46, 46]);
    assertEquals(train.classNames, ["bedroom", "church_outdoor", "tower"]);
    assertEquals([...new Set(train.labels)].sort(), [0, 1]);
    assertEquals([...new Set(test.labels)].sort(), [0, 2]);
    assertEquals((await load("lsun", place, "train", true)).checksum, train.checksum);
    // One database alone: one image in ten is held out.
    const one = join(place, "bedroom_train_lmdb");
    assertEquals((await load("folder", one, "train")).count, 21);
    assertEquals((await load("folder", join(one, "data.mdb"), "test")).count, 2);

    const damaged = lmdb.slice(0, lmdb.length - 4096);
    await Deno.writeFile(join(one, "data.mdb"), damaged);
    const error = await assertRejects(() => load("lsun", place, "train"), SyntaxError);
    assert(error.message.startsWith(`Cannot read ${join(one, "data.mdb")}: it must have`));
  }));
