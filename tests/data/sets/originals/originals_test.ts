/** Each set from a few files that are named and written as its originals are. */
import { join } from "node:path";
import { DATA, type DataOptions, isOpen } from "../../../../data/options.ts";
import { loadImages, openImages } from "../../../../data/registry.ts";
import { encodePng } from "../../../../formats/png.ts";
import { writeZip } from "../../../../formats/zip.ts";
import { withDefaults } from "../../../../support/options.ts";
import { writeTar } from "../../../formats/tar_writer.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { matFile, matVariable } from "../../../support/mat_file.ts";
import { alone, gzip } from "../../fixtures.ts";

/** A picture of one grey value. */
function flat(value: number): Uint8Array {
  return encodePng({ width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(value) });
}

const text = (lines: readonly string[]) => new TextEncoder().encode(`${lines.join("\n")}\n`);
const entries = (files: Readonly<Record<string, Uint8Array>>) =>
  Object.entries(files).map(([name, bytes]) => ({ name, bytes }));
const wide = (name: string, values: readonly number[]) =>
  matVariable(name, [1, values.length], Uint8Array.from(values));

const DEFAULTS = withDefaults(DATA, {});

interface Case {
  /** Files of `data.dir`. */
  readonly files: () => Promise<Readonly<Record<string, Uint8Array>>>;
  /** Which of them is `data.dir`; the folder unless given. */
  readonly dir?: string;
  /** "value class" of each image, sorted; "-" without a class. */
  readonly train: readonly string[];
  readonly test: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  "tiny-imagenet": {
    dir: "tiny-imagenet-200.zip",
    files: async () => ({
      "tiny-imagenet-200.zip": await writeZip(Object.entries({
        "tiny-imagenet-200/wnids.txt": text(["n02", "n01"]),
        "tiny-imagenet-200/words.txt": text([
          "n00\tentity",
          "n01\tgoldfish, Carassius",
          "n02\tcat",
        ]),
        "tiny-imagenet-200/train/n02/images/n02_0.JPEG": flat(1),
        "tiny-imagenet-200/train/n02/n02_boxes.txt": text(["n02_0.JPEG\t0\t0\t9\t9"]),
        "tiny-imagenet-200/train/n01/images/n01_0.JPEG": flat(2),
        "tiny-imagenet-200/val/images/val_0.JPEG": flat(3),
        "tiny-imagenet-200/val/images/val_1.JPEG": flat(4),
        "tiny-imagenet-200/val/val_annotations.txt": text([
          "val_0.JPEG\tn02\t0\t32\t44\t62",
          "val_1.JPEG\tn01\t52\t55\t57\t59",
        ]),
        "tiny-imagenet-200/test/images/test_0.JPEG": flat(5),
      })),
    }),
    train: ["1 cat", "2 goldfish, Carassius"],
    test: ["3 cat", "4 goldfish, Carassius"],
  },
  "imagenette": {
    dir: "imagenette2-160.tgz",
    files: async () => ({
      "imagenette2-160.tgz": await gzip(
        await writeTar(entries({
          "imagenette2-160/noisy_imagenette.csv": text(["path,noisy_labels_0"]),
          "imagenette2-160/train/n03888257/ILSVRC2012_val_00000048.JPEG": flat(1),
          "imagenette2-160/train/n01440764/n01440764_9981.JPEG": flat(2),
          "imagenette2-160/val/n02102040/n02102040_890.JPEG": flat(3),
        })),
      ),
    }),
    train: ["1 parachute", "2 tench"],
    test: ["3 English springer"],
  },
  "dtd": {
    files: () =>
      Promise.resolve({
        "dtd/images/banded/banded_0002.jpg": flat(1),
        "dtd/images/banded/banded_0004.jpg": flat(2),
        "dtd/images/dotted/dotted_0001.jpg": flat(3),
        "dtd/images/dotted/dotted_0002.jpg": flat(4),
        "dtd/labels/train1.txt": text(["banded/banded_0002.jpg"]),
        "dtd/labels/val1.txt": text(["dotted/dotted_0001.jpg"]),
        "dtd/labels/test1.txt": text(["banded/banded_0004.jpg", "dotted/dotted_0002.jpg"]),
        "dtd/labels/train2.txt": text(["banded/banded_0004.jpg"]),
      }),
    train: ["1 banded", "3 dotted"],
    test: ["2 banded", "4 dotted"],
  },
  "flowers102": {
    files: async () => ({
      "102flowers.tgz": await gzip(
        await writeTar(entries({
          "jpg/image_00001.jpg": flat(1),
          "jpg/image_00002.jpg": flat(2),
          "jpg/image_00003.jpg": flat(3),
          "jpg/image_00004.jpg": flat(4),
        })),
      ),
      "imagelabels.mat": matFile([wide("labels", [77, 1, 102, 77])]),
      "setid.mat": matFile([wide("trnid", [4]), wide("valid", [2]), wide("tstid", [1, 3])]),
    }),
    train: ["2 1", "4 77"],
    test: ["1 77", "3 102"],
  },
  "celeba": {
    files: async () => ({
      "img_align_celeba.zip": await writeZip(Object.entries({
        "img_align_celeba/000001.jpg": flat(1),
        "img_align_celeba/000002.jpg": flat(2),
        "img_align_celeba/000003.jpg": flat(3),
      })),
      "list_eval_partition.txt": text(["000001.jpg 0", "000002.jpg 1", "000003.jpg 2"]),
    }),
    train: ["1 -", "2 -"],
    test: ["3 -"],
  },
  "ffhq": {
    files: () =>
      Promise.resolve({
        "thumbnails128x128/00000/00000.png": flat(1),
        "thumbnails128x128/59000/59999.png": flat(2),
        "thumbnails128x128/60000/60000.png": flat(3),
      }),
    train: ["1 -", "2 -"],
    test: ["3 -"],
  },
  "afhq": {
    dir: "afhq_v2.zip",
    files: async () => ({
      "afhq_v2.zip": await writeZip(Object.entries({
        "train/cat/pixabay_cat_000002.png": flat(1),
        "train/wild/flickr_wild_000002.png": flat(2),
        "test/dog/pixabay_dog_000001.png": flat(3),
      })),
    }),
    train: ["1 cat", "2 wild"],
    test: ["3 dog"],
  },
  "celeba-hq": {
    files: () =>
      Promise.resolve({
        "CelebA-HQ-img/0.jpg": flat(1),
        "CelebA-HQ-img/1.jpg": flat(2),
        "CelebA-HQ-img/10.jpg": flat(3),
        "CelebA-HQ-to-CelebA-mapping.txt": text([
          "idx orig_idx orig_file",
          "0 119613 119614.jpg",
          "1 99094 099095.jpg",
          "10 200121 200122.jpg",
        ]),
        "list_eval_partition.txt": text(["099095.jpg 0", "119614.jpg 1", "200122.jpg 2"]),
      }),
    train: ["1 -", "2 -"],
    test: ["3 -"],
  },
  "imagenet": {
    files: () =>
      Promise.resolve({
        "ILSVRC/Data/CLS-LOC/train/n01443537/n01443537_2.JPEG": flat(1),
        "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_18.JPEG": flat(2),
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG": flat(3),
        "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": flat(4),
        "LOC_synset_mapping.txt": text(["n01440764 tench, Tinca tinca", "n01443537 goldfish"]),
        "LOC_val_solution.csv": text([
          "ImageId,PredictionString",
          "ILSVRC2012_val_00000001,n01443537 111 108 441 193 ",
        ]),
      }),
    train: ["1 goldfish", "2 tench, Tinca tinca"],
    test: ["3 goldfish"],
  },
  "places365": {
    files: () =>
      Promise.resolve({
        "train_256_places365standard.tar": writeTar(entries({
          "data_256/a/airfield/00000001.jpg": flat(1),
          "data_256/a/apartment_building/outdoor/00000001.jpg": flat(2),
        })),
        "val_256.tar": writeTar(entries({ "val_256/Places365_val_00000001.jpg": flat(3) })),
        "filelist_places365-standard.tar": writeTar(entries({
          "categories_places365.txt": text(["/a/airfield 0", "/a/apartment_building/outdoor 1"]),
          "places365_val.txt": text(["Places365_val_00000001.jpg 1"]),
        })),
      }),
    train: ["1 airfield", "2 apartment_building-outdoor"],
    test: ["3 apartment_building-outdoor"],
  },
  "edm": {
    dir: "cifar10-32x32.zip",
    files: async () => ({
      "cifar10-32x32.zip": await writeZip(Object.entries({
        "00000/img00000000.png": flat(1),
        "00000/img00000001.png": flat(2),
        "00000/img00000002.png": flat(3),
        "dataset.json": text([JSON.stringify({
          labels: [
            ["00000/img00000000.png", 6],
            ["00000/img00000001.png", 9],
            ["00000/img00000002.png", 0],
          ],
        })]),
      })),
    }),
    train: ["1 6", "2 9"],
    test: ["3 0"],
  },
};

for (const [name, { files, dir = "", train, test }] of Object.entries(CASES)) {
  Deno.test(`${name} is read from its original files, with its splits and classes`, () =>
    inFolder(async (folder) => {
      const place = join(folder, "set");
      for (const [path, bytes] of Object.entries(await files())) {
        await Deno.mkdir(join(place, path, ".."), { recursive: true });
        await Deno.writeFile(join(place, path), bytes);
      }
      assert(isOpen(name as DataOptions["name"]));
      const options: DataOptions = {
        ...DEFAULTS,
        ...{ name: name as DataOptions["name"], dir: join(place, dir), size: 4, channels: 1 },
      };
      const around = alone(join(folder, "cache"));
      for (const [split, expected] of [["train", train], ["test", test]] as const) {
        const set = await loadImages(options, split, () => {}, around);
        const seen = Array.from(
          { length: set.count },
          (_, i) => `${set.images[16 * i]} ${set.labels ? set.classNames![set.labels[i]!] : "-"}`,
        );
        assertEquals(seen.sort(), expected);
      }
      // Streamed it is the same set.
      const held = await loadImages(options, "train", () => {}, around);
      const streamed = await openImages({ ...options, stream: true }, "train", () => {}, around);
      assertEquals(streamed.checksum, held.checksum);
    }));
}

for (
  const [name, files, train, test] of [
    ["celeba-hq", ["train/female/1.jpg", "train/male/2.jpg", "val/male/3.jpg"], 2, "male"],
    [
      "imagenet",
      ["train/n01440764/1.JPEG", "val/n01440764/2.JPEG", "val/n02/3.JPEG"],
      1,
      "n01440764",
    ],
    [
      "places365",
      [
        "places365_standard/train/airfield/1.jpg",
        "places365_standard/train/zen_garden/2.jpg",
        "places365_standard/val/zen_garden/3.jpg",
      ],
      2,
      "zen_garden",
    ],
  ] as const
) {
  Deno.test(`${name} is read from folders of classes as well`, () =>
    inFolder(async (folder) => {
      for (const path of files) {
        await Deno.mkdir(join(folder, "set", path, ".."), { recursive: true });
        await Deno.writeFile(join(folder, "set", path), flat(1));
      }
      const options: DataOptions = { ...DEFAULTS, name, dir: join(folder, "set"), size: 4 };
      const load = (split: "train" | "test") =>
        loadImages(options, split, () => {}, alone(join(folder, "cache")));
      assertEquals((await load("train")).count, train);
      const { count, labels, classNames } = await load("test");
      // One class is none.
      assertEquals([count, labels && classNames![labels[0]!]], [1, train === 1 ? null : test]);
    }));
}

Deno.test("dtd names the file of its labels that is not there", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(join(folder, "a.png"), flat(1));
    const options: DataOptions = { ...DEFAULTS, name: "dtd", dir: folder, size: 4 };
    const load = () => loadImages(options, "train", () => {}, alone(join(folder, "cache")));
    await assertRejects(load, Error, "it must hold labels/train1.txt");
  }));
