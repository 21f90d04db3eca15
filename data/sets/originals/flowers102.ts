/**
 * Oxford Flowers 102 (Nilsback and Zisserman 2008): 102flowers.tgz, imagelabels.mat and setid.mat of
 * https://www.robots.ox.ac.uk/~vgg/data/flowers/102 in one folder, packed or not. Validation images are
 * trained on. Its classes are numbers, 1 to 102.
 *
 * @module
 */
import { readMat } from "../../../formats/mat.ts";
import { isImageName } from "../image_names.ts";
import { baseName, labelledFiles } from "./labelled_files.ts";

const CLASSES = 102;

export const FLOWERS102 = labelledFiles(
  "flowers102",
  "102flowers.tgz or its folder jpg, imagelabels.mat and setid.mat",
  async ({ names, read }) => {
    const labels = numbersOf(await read("imagelabels.mat"), "labels");
    const ids = await read("setid.mat");
    const images = new Map(names.filter(isImageName).map((name) => [baseName(name), name]));
    const of = (variable: string) =>
      numbersOf(ids, variable).flatMap((id) => {
        const name = images.get(`image_${String(id).padStart(5, "0")}.jpg`);
        const label = labels[id - 1];
        return name === undefined ? [] : [{ name, label: label === undefined ? null : label - 1 }];
      });
    return {
      ...{ train: [...of("trnid"), ...of("valid")], test: of("tstid") },
      classNames: Array.from({ length: CLASSES }, (_, i) => `${i + 1}`),
    };
  },
);

function numbersOf(bytes: Uint8Array, name: string): number[] {
  const array = readMat(bytes, [name]).get(name);
  if (!array) {
    throw new SyntaxError(`Cannot read flowers102: a .mat must hold ${name}, it does not`);
  }
  return Array.from(array.data, Number);
}
