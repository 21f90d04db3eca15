/**
 * Places365-Standard at 256x256 (Zhou and others 2018), http://places2.csail.mit.edu: either
 * places365standard_easyformat.tar, with train and val in folders of classes; or
 * train_256_places365standard.tar and val_256.tar beside places365_val.txt and categories_places365.txt of
 * filelist_places365-standard.tar. Validation images are the test split.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { baseName, labelledFiles, linesOf } from "./labelled_files.ts";

/** A folder of classes below it: data_256/a/apartment_building/outdoor, or train/airfield. */
const TRAIN = /(?:^|\/)(?:data_256(?:_standard)?\/[a-z]|places365_standard\/train)\/(.+)\/[^/]+$/;
const VAL = /(?:^|\/)places365_standard\/val\/(.+)\/[^/]+$/;
const BARE_VAL = /(?:^|\/)val_256\/(Places365_val_\d+\.jpg)$/;

export const PLACES365 = labelledFiles(
  "places365",
  "places365standard_easyformat.tar, or train_256_places365standard.tar, val_256.tar and " +
    "filelist_places365-standard.tar, packed or not",
  async ({ names, read }) => {
    const images = names.filter(isImageName);
    const below = (pattern: RegExp) =>
      images.flatMap((name) => {
        const found = pattern.exec(name)?.[1];
        return found === undefined ? [] : [[name, found.replaceAll("/", "-")] as const];
      });
    const train = below(TRAIN),
      val = below(VAL),
      bare = images.filter((name) => BARE_VAL.test(name));
    const lists = train.length > 0 && val.length === 0 && bare.length > 0;
    const categories = lists ? linesOf(await read("categories_places365.txt")) : [];
    // "/a/apartment_building/outdoor 8" a line.
    const classNames = lists
      ? categories.map((line) =>
        line.replace(/^\/\w\//, "").replace(/\s+\d+$/, "").replaceAll("/", "-")
      )
      : [...new Set([...train, ...val].map(([, name]) => name))].sort();
    const index = new Map(classNames.map((name, i) => [name, i]));
    const labelled = (pairs: readonly (readonly [string, string])[]) =>
      pairs.map(([name, id]) => ({ name, label: index.get(id) ?? null }));
    if (!lists) return { train: labelled(train), test: labelled(val), classNames };
    const answers = new Map(
      linesOf(await read("places365_val.txt")).map((line) => {
        const [name = "", label = ""] = line.split(/\s+/);
        return [name, Number(label)] as const;
      }),
    );
    const test = bare.map((name) => ({ name, label: answers.get(baseName(name)) ?? null }));
    return { train: labelled(train), test, classNames };
  },
);
