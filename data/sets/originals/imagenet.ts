/**
 * ImageNet of ILSVRC 2012 (Russakovsky and others 2015) as its archives unpack:
 * ILSVRC/Data/CLS-LOC/train/n01440764/*.JPEG and val beside it. Validation images are the test split:
 * in folders of classes as train, or in one folder beside LOC_val_solution.csv, as Kaggle has them.
 * Classes are in the order of their ids; LOC_synset_mapping.txt, or words.txt, names them.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { baseName, type Files, labelledFiles, linesOf } from "./labelled_files.ts";

const SOLUTION = "LOC_val_solution.csv", SYNSETS = ["LOC_synset_mapping.txt", "words.txt"];

export const IMAGENET = labelledFiles(
  "imagenet",
  "the folder ILSVRC, or one with train and val",
  async (files) => {
    const { names, read } = files;
    const images = names.filter(isImageName);
    const train = classesBelow(images, "train"), val = classesBelow(images, "val");
    const ids = [...new Set([...train, ...val].map(([, id]) => id))].sort();
    const index = new Map(ids.map((id, i) => [id, i]));
    const labelled = (pairs: readonly (readonly [string, string])[]) =>
      pairs.map(([name, id]) => ({ name, label: index.get(id) ?? null }));
    const words = await wordsOf(files);
    const classNames = ids.map((id) => words.get(id) ?? id);
    if (val.length > 0) return { train: labelled(train), test: labelled(val), classNames };
    const bare = images.filter((name) => /(^|\/)val\/[^/]+$/.test(name));
    if (bare.length === 0) return { train: labelled(train), test: [], classNames };
    const answers = new Map(
      linesOf(await read(SOLUTION)).map((line) => {
        const [image = "", id = ""] = line.split(/[,\s]+/);
        return [image, id] as const;
      }),
    );
    const stem = (name: string) => baseName(name).replace(/\.\w+$/, "");
    const test = bare.map((name) => [name, answers.get(stem(name)) ?? ""] as const);
    return { train: labelled(train), test: labelled(test), classNames };
  },
);

/** Images of a split with the ids of the folders that they are in. */
function classesBelow(images: readonly string[], split: string): [name: string, id: string][] {
  const pattern = new RegExp(`(?:^|/)${split}/(?:.*/)?(n\\d{8})/[^/]+$`);
  return images.flatMap((name) => {
    const id = pattern.exec(name)?.[1];
    return id === undefined ? [] : [[name, id]];
  });
}

/** What ids are called: "n01440764 tench, Tinca tinca" a line. */
async function wordsOf({ names, read }: Files): Promise<Map<string, string>> {
  const list = SYNSETS.find((list) => names.some((name) => baseName(name) === list));
  if (list === undefined) return new Map();
  return new Map(
    linesOf(await read(list)).map((line) => {
      const [, id = "", words = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
      return [id, words] as const;
    }),
  );
}
