/**
 * MedMNIST v2's two-dimensional sets in their original .npz, and other .npz of that layout. Yang et al.
 * 2023, https://medmnist.com/.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { npzNames, type NpzSplit, npzSplits, readNpzImages } from "../../formats/npz_images.ts";
import { exists, readFileChecked } from "../../support/files.ts";
import { pickImages, type RawImages, type Say, type Split } from "../dataset.ts";
import { HELD_OUT, heldOutMarks } from "../fixed_order.ts";
import { cachedImages, fingerprint } from "../fetching/decoded_cache.ts";
import type { RemoteFile } from "../fetching/download.ts";
import { MEDMNIST_FACTS, type MedmnistFacts, type MedmnistName } from "./medmnist_facts.ts";
import { type ImageSides, type ResizeName, sidesOf } from "../set_options.ts";
import { fitImages } from "../pixels/pictures.ts";
import type { SetKind } from "../set_kind.ts";
import { fitOf, OPEN_NEEDS, OPEN_SHAPE, openShape } from "./open_set.ts";
import { readingOf } from "../fetching/read_file.ts";
import {
  locate,
  MissingPlaceError,
  type Source,
  type Surroundings,
} from "../fetching/locate_files.ts";

/** Sides in pixels that every set is published in. */
const SIDES = [28, 64, 128, 224] as const;

const RECORD = "https://zenodo.org/records/10519652/files/";
/** Larger files are refused: they are read whole. */
const MAX_NPZ_BYTES = 2 ** 32 - 1;

/**
 * The side of the files that images of a size are made from: the nearest that the way of resizing can
 * bring there, the larger of two.
 */
export function medmnistSide(sides: ImageSides | null, resize: ResizeName): number {
  if (sides === null) return SIDES[0];
  const { height, width } = sidesOf(sides);
  const size = resize === "pad" ? Math.min(height, width) : Math.max(height, width);
  const able = SIDES.filter((side) =>
    resize === "area" ? side >= size : resize === "pad" ? side <= size : true
  );
  const found = able.length > 0 ? able : resize === "area" ? [224] : [28];
  return found.reduce((best, side) => Math.abs(side - size) <= Math.abs(best - size) ? side : best);
}

/** Where a set's file of a side can come from. */
export function medmnistSource(name: MedmnistName, side: number): Source<string> {
  const { title, md5 }: MedmnistFacts = MEDMNIST_FACTS[name];
  const index = (SIDES as readonly number[]).indexOf(side);
  const file: RemoteFile = {
    name: side === SIDES[0] ? `${name}.npz` : `${name}_${side}.npz`,
    bytes: null,
    md5: md5[index]!,
    urls: [],
  };
  return {
    title,
    folder: "medmnist",
    systemFolders: ["/usr/share/datasets/medmnist"],
    files: [{ ...file, urls: [`${RECORD}${file.name}?download=1`] }],
    probe: async (place) => {
      if ((await Deno.stat(place)).isFile) return { found: place };
      const path = join(place, file.name);
      return await exists(path) ? { found: path } : { lacks: `no ${file.name}` };
    },
  };
}

/**
 * Loads a split of a set of MedMNIST; its own split "val" is left aside.
 *
 * @param side Side of the images in pixels: 28, 64, 128 or 224.
 * @param dir A folder with the file, or the file itself; null looks in the known places.
 * @returns Images with labels, or without where an image has several (ChestMNIST).
 * @throws Error when the file is nowhere, SyntaxError when it is damaged or another set.
 */
export async function loadMedmnist(
  name: MedmnistName,
  side: number,
  split: Split,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const path = await locate(medmnistSource(name, side), dir, say, surroundings);
  const { classNames, channels }: MedmnistFacts = MEDMNIST_FACTS[name];
  const raw = await readSplit(path, split, `${name} ${split}`, say, surroundings);
  if (raw.height !== side || raw.width !== side || raw.channels !== channels) {
    throw new SyntaxError(
      `Cannot read ${path}: ${name} must have images of ${side}x${side}x${channels}, got ` +
        `${raw.height}x${raw.width}x${raw.channels}`,
    );
  }
  const wrong = raw.labels?.findIndex((label) => label >= classNames.length) ?? -1;
  if (wrong >= 0) {
    throw new SyntaxError(
      `Cannot read ${path}: label ${wrong} must be 0 to ${classNames.length - 1}, got ` +
        `${raw.labels![wrong]}`,
    );
  }
  return raw.labels ? { ...raw, classNames } : raw;
}

/**
 * Loads a split of any .npz of MedMNIST's layout. Where there is no test split, val is taken; where
 * there is neither, one image in ten of train is held out.
 *
 * @returns Images as they are stored.
 * @throws MissingPlaceError when `dir` names no file, SyntaxError when it is damaged.
 */
export async function loadNpz(
  split: Split,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  if (dir === null || !await exists(dir) || !(await Deno.stat(dir)).isFile) {
    throw new MissingPlaceError(
      `Cannot find the set npz: data.dir must name an .npz file with train_images and ` +
        `train_labels, got ${JSON.stringify(dir)}`,
    );
  }
  const raw = await readSplit(dir, split, `npz ${split}`, say, surroundings, { holdOut: true });
  if (!raw.labels) return raw;
  const classes = Array.from(raw.labels).reduce((most, label) => Math.max(most, label + 1), 0);
  return { ...raw, classNames: Array.from({ length: classes }, (_, label) => String(label)) };
}

async function readSplit(
  path: string,
  split: Split,
  name: string,
  say: Say,
  { decoded }: Surroundings,
  { holdOut = false }: { readonly holdOut?: boolean } = {},
): Promise<RawImages> {
  const from = {
    name,
    recipe: { file: resolve(path), split, ...(holdOut ? { holdOut } : {}) },
    source: await fingerprint([path]),
  };
  const decode = () =>
    readingOf(path, async () => {
      const bytes = await readFileChecked(path, MAX_NPZ_BYTES);
      const splits = npzSplits(bytes);
      const own = split === "test" ? splits.filter((name) => name !== "train").at(-1) : "train";
      // Nothing but training images: some of them are the test.
      const shared = holdOut && splits.includes("train") && splits.length === 1;
      const chosen: NpzSplit = shared ? "train" : own ?? "test";
      if (!splits.includes(chosen)) {
        throw new SyntaxError(
          `Cannot read ${path}: it must hold ${chosen}_images, got ${npzNames(bytes)}; ` +
            `${chosen}_images are bytes of [N, H, W] or [N, H, W, 3], ${chosen}_labels their classes`,
        );
      }
      const { answers, ...raw } = readNpzImages(bytes, chosen);
      if (answers > 1) {
        say(`Labels of ${name} are left aside: an image has ${answers}, not one`);
      }
      return shared ? heldOutPart(raw, split, path, say) : raw;
    });
  return await cachedImages(from, decode, say, decoded);
}

/** The part of images without a test split that is `split`. */
function heldOutPart(raw: RawImages, split: Split, path: string, say: Say): RawImages {
  const marks = heldOutMarks(raw.count);
  const part = pickImages(raw, (index) => (marks[index] === 1) === (split === "test"));
  if (part.count === 0) {
    throw new SyntaxError(
      `Cannot read ${path}: it must hold test_images or val_images, or train_images to hold some ` +
        `out, got ${raw.count} of them`,
    );
  }
  const remark =
    `${path} has neither test_images nor val_images: one image in ${HELD_OUT} is held out`;
  say(remark);
  return { ...part, remark };
}

function kindOf(name: MedmnistName): SetKind {
  const { channels, classNames, counts: [train, , test] }: MedmnistFacts = MEDMNIST_FACTS[name];
  return {
    shape: { size: SIDES[0], channels },
    shapeFor: ({ size, resize }) => ({ size: medmnistSide(size, resize), channels }),
    files: {
      counts: { train, test },
      classes: classNames.length,
      source: () => medmnistSource(name, SIDES[0]),
    },
    shuffled: true,
    load: ({ dir, size, resize }, split, say, around) =>
      loadMedmnist(name, medmnistSide(size, resize), split, dir, say, around),
  };
}

/** The sets of MedMNIST by name. */
export const MEDMNIST = Object.fromEntries(
  (Object.keys(MEDMNIST_FACTS) as MedmnistName[]).map((name) => [name, kindOf(name)]),
) as Record<MedmnistName, SetKind>;

/** Any .npz of that layout. */
export const NPZ: SetKind = {
  shape: OPEN_SHAPE,
  shapeFor: openShape,
  files: null,
  needs: OPEN_NEEDS,
  shuffled: true,
  load: async (options, split, say, around) =>
    fitImages(await loadNpz(split, options.dir, say, around), fitOf(options)),
};
