/**
 * Sets of image files whose splits and classes are in files beside them, as they were published.
 *
 * @module
 */
import type { Split } from "../../dataset.ts";
import type { SetKind } from "../../set_kind.ts";
import { type ImageFolderOptions, loadImageFolder, storeImageFolder } from "../image_folder.ts";
import { isImageName } from "../image_names.ts";
import { type LabelledSplits, planOf } from "../labelled_plan.ts";
import { fitOf, OPEN_SHAPE, openShape } from "../open_set.ts";

/** The files of a place. */
export interface Files {
  /** Their names, "/" between folders. */
  readonly names: readonly string[];
  /**
   * The bytes of the one that ends in `path`.
   *
   * @throws {Error} When there is none.
   */
  readonly read: (path: string) => Promise<Uint8Array>;
}

/** Reads what a set says. */
export type LabelReader = (files: Files) => LabelledSplits | Promise<LabelledSplits>;

/** Lines of text without what surrounds them; empty ones left out. */
export function linesOf(bytes: Uint8Array): string[] {
  return new TextDecoder().decode(bytes).split("\n").map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The name of a file without its folders. */
export function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/**
 * Images in folders of classes in folders of splits.
 *
 * @param splits What the folders of each split are called.
 * @param classNames What the folders of classes are called.
 */
export function classFolders(
  names: readonly string[],
  splits: Readonly<Record<Split, readonly string[]>>,
  classNames: readonly string[],
): LabelledSplits {
  const of = (folders: readonly string[]) =>
    names.filter(isImageName).flatMap((name) => {
      const [folder = "", inner = ""] = name.split("/").slice(-3);
      const label = classNames.indexOf(inner);
      return label >= 0 && folders.includes(folder) ? [{ name, label }] : [];
    });
  return { train: of(splits.train), test: of(splits.test), classNames };
}

/**
 * A set of files.
 *
 * @param name As in `data.name`.
 * @param needs What `data.dir` holds, for a person.
 */
export function labelledFiles(name: string, needs: string, read: LabelReader): SetKind {
  const optionsOf = (options: Parameters<typeof fitOf>[0]): ImageFolderOptions => ({
    ...fitOf(options),
    skipBroken: options.skipBroken,
    format: { name, plan: async (files, split) => planOf(await read(files), split) },
  });
  return {
    shape: OPEN_SHAPE,
    shapeFor: openShape,
    files: null,
    needs: `data.size, and in data.dir ${needs}`,
    load: (options, split, say, around) =>
      loadImageFolder(options.dir, split, optionsOf(options), say, around),
    store: (options, split, say, around) =>
      storeImageFolder(options.dir, split, optionsOf(options), say, around),
  };
}
