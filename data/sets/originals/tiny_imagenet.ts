/**
 * Tiny ImageNet: tiny-imagenet-200.zip of http://cs231n.stanford.edu, or what it unpacks to. 100,000
 * images of 64x64 in 200 classes; its validation images are the test split, as its test images have
 * no labels.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { baseName, labelledFiles, linesOf } from "./labelled_files.ts";

export const TINY_IMAGENET = labelledFiles(
  "tiny-imagenet",
  "tiny-imagenet-200.zip, or the folder in it",
  async ({ names, read }) => {
    const ids = linesOf(await read("wnids.txt")).sort();
    const words = new Map(
      linesOf(await read("words.txt")).map((line) => line.split("\t") as [string, string]),
    );
    const index = new Map(ids.map((id, i) => [id, i]));
    const answers = new Map(
      linesOf(await read("val/val_annotations.txt")).map((line) => {
        const [file = "", id = ""] = line.split("\t");
        return [file, index.get(id) ?? null] as const;
      }),
    );
    const images = names.filter(isImageName);
    const train = images.flatMap((name) => {
      const id = /(?:^|\/)train\/([^/]+)\//.exec(name)?.[1];
      return id === undefined ? [] : [{ name, label: index.get(id) ?? null }];
    });
    const test = images.filter((name) => /(?:^|\/)val\//.test(name))
      .map((name) => ({ name, label: answers.get(baseName(name)) ?? null }));
    return { train, test, classNames: ids.map((id) => words.get(id) ?? id) };
  },
);
