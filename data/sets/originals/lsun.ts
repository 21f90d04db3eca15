/**
 * LSUN (Yu and others 2015), https://www.yf.io/p/lsun: LMDB databases such as bedroom_train_lmdb and
 * bedroom_val_lmdb, with a WebP picture a value, one category or several. Validation images are the test
 * split.
 *
 * @module
 */
import { isImageName } from "../image_names.ts";
import { labelledFiles } from "./labelled_files.ts";

export const LSUN = labelledFiles(
  "lsun",
  "folders such as bedroom_train_lmdb and bedroom_val_lmdb, unpacked",
  ({ names }) => {
    if (names.some((name) => /\/data\.mdb$/.test(name))) throw packed();
    const found = names.filter(isImageName).flatMap((name) => {
      const [, category, split] = /(?:^|\/)([^/]+)_(train|val)_lmdb\/[^/]+$/.exec(name) ?? [];
      return category === undefined ? [] : [{ name, category, split }];
    });
    const classNames = [...new Set(found.map(({ category }) => category))].sort();
    const of = (half: string) =>
      found.filter(({ split }) => split === half)
        .map(({ name, category }) => ({ name, label: classNames.indexOf(category) }));
    return { train: of("train"), test: of("val"), classNames };
  },
);

/** A database in an archive would have to be held in memory as a whole. */
function packed(): Error {
  return new Error(
    "Cannot read LSUN: its databases must lie in folders, got them in an archive; unpack it, as by " +
      '"unzip bedroom_train_lmdb.zip", and remove or move the archive',
  );
}
