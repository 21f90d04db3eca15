/**
 * Imagenette: ten classes of ImageNet, imagenette2.tgz, imagenette2-320.tgz or imagenette2-160.tgz of
 * https://github.com/fastai/imagenette, or what they unpack to.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { labelledFiles } from "./labelled_files.ts";

/** Classes by the names of their folders. */
const CLASSES: Readonly<Record<string, string>> = {
  n01440764: "tench",
  n02102040: "English springer",
  n02979186: "cassette player",
  n03000684: "chain saw",
  n03028079: "church",
  n03394916: "French horn",
  n03417042: "garbage truck",
  n03425413: "gas pump",
  n03445777: "golf ball",
  n03888257: "parachute",
};

export const IMAGENETTE = labelledFiles(
  "imagenette",
  "imagenette2-160.tgz or a larger one, or the folder in it",
  ({ names }) => {
    const ids = Object.keys(CLASSES);
    const of = (split: string) =>
      names.filter(isImageName).flatMap((name) => {
        const [, folder, id = ""] = /(?:^|\/)(train|val)\/([^/]+)\/[^/]+$/.exec(name) ?? [];
        return folder === split && id in CLASSES ? [{ name, label: ids.indexOf(id) }] : [];
      });
    return { train: of("train"), test: of("val"), classNames: Object.values(CLASSES) };
  },
);
