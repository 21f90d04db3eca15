/**
 * FFHQ (Karras and others 2019): images1024x1024 or thumbnails128x128, as 00000/00000.png or flat. The
 * first 60,000 are for training, as ffhq-dataset-v2.json says. There are no classes.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { baseName, labelledFiles } from "./labelled_files.ts";

const TRAINING = 60_000;

export const FFHQ = labelledFiles(
  "ffhq",
  "thumbnails128x128 or images1024x1024, packed or not",
  ({ names }) => {
    const of = (test: boolean) =>
      names.filter((name) =>
        isImageName(name) && Number.parseInt(baseName(name)) >= TRAINING === test
      ).map((name) => ({ name, label: null }));
    return { train: of(false), test: of(true), classNames: [] };
  },
);
