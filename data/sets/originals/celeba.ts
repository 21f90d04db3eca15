/**
 * CelebA (Liu and others 2015): img_align_celeba.zip, or its folder, beside list_eval_partition.txt.
 * Validation images are trained on. There are forty attributes an image and no classes.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { baseName, labelledFiles, linesOf } from "./labelled_files.ts";

export const CELEBA = labelledFiles(
  "celeba",
  "img_align_celeba.zip or its folder, and list_eval_partition.txt",
  async ({ names, read }) => {
    const isTest = new Map(
      linesOf(await read("list_eval_partition.txt")).map((line) => {
        const [name = "", part = ""] = line.split(/[\s,]+/);
        return [name, part === "2"] as const;
      }),
    );
    const of = (test: boolean) =>
      names.filter((name) => isImageName(name) && isTest.get(baseName(name)) === test)
        .map((name) => ({ name, label: null }));
    return { train: of(false), test: of(true), classNames: [] };
  },
);
