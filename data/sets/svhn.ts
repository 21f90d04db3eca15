/**
 * SVHN, house numbers cropped to a digit of 32x32, in its original MAT-files. Netzer et al. 2011,
 * http://ufldl.stanford.edu/housenumbers/.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { type MatArray, readMat } from "../../formats/mat.ts";
import type { RawImages, Say, Split } from "../dataset.ts";
import { cachedImages, fingerprint } from "../fetching/decoded_cache.ts";
import type { RemoteFile } from "../fetching/download.ts";
import type { SetKind } from "../set_kind.ts";
import { readFile, readingOf } from "../fetching/read_file.ts";
import { locate, type Source, type Surroundings } from "../fetching/locate_files.ts";
import { exists } from "../../support/files.ts";

const SIZE = 32, CHANNELS = 3, CLASSES = 10;
const PIXELS = SIZE * SIZE * CHANNELS;

const FILES: Readonly<Record<Split, RemoteFile>> = {
  train: {
    name: "train_32x32.mat",
    bytes: 182040794,
    sha256: "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    urls: ["http://ufldl.stanford.edu/housenumbers/train_32x32.mat"],
  },
  test: {
    name: "test_32x32.mat",
    bytes: 64275384,
    sha256: "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    urls: ["http://ufldl.stanford.edu/housenumbers/test_32x32.mat"],
  },
};

/** Where a split can come from. */
export function svhnSource(split: Split): Source<string> {
  const file = FILES[split];
  return {
    title: "SVHN",
    folder: "svhn",
    systemFolders: ["/usr/share/datasets/svhn"],
    files: [file],
    inside: ["SVHN"],
    probe: async (place) => {
      if ((await Deno.stat(place)).isFile) return { found: place };
      const path = join(place, file.name);
      return await exists(path) ? { found: path } : { lacks: `no ${file.name}` };
    },
  };
}

/**
 * Loads a split.
 *
 * @param dir A folder with the file, or the file itself; null looks in the known places.
 * @returns 32x32 RGB images in the order of the file.
 * @throws Error when the file is nowhere, SyntaxError when it is damaged.
 */
export async function loadSvhn(
  split: Split,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const path = await locate(svhnSource(split), dir, say, surroundings);
  const from = {
    name: `svhn ${split}`,
    recipe: { file: resolve(path) },
    source: await fingerprint([path]),
  };
  const decode = () => readingOf(path, async () => decodeSvhn(await readFile(path)));
  return await cachedImages(from, decode, say, surroundings.decoded);
}

/**
 * The images of a file: X [32, 32, 3, N] bytes and y [N, 1], in MATLAB's order.
 *
 * @throws SyntaxError when it holds anything else.
 */
export function decodeSvhn(bytes: Uint8Array): RawImages {
  const arrays = readMat(bytes, ["X", "y"]);
  const x = arrays.get("X"), y = arrays.get("y");
  const [rows, columns, channels, count = 1] = x?.shape ?? [];
  const isBytes = x?.data instanceof Uint8Array && x.shape.length <= 4;
  if (!x || !isBytes || rows !== SIZE || columns !== SIZE || channels !== CHANNELS || count === 0) {
    throw new SyntaxError(
      `Cannot read SVHN: X must be bytes of shape [32, 32, 3, N], got ${
        x ? `[${x.shape}]` : "none"
      }`,
    );
  }
  const images = new Uint8Array(count * PIXELS);
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < CHANNELS; c++) {
      for (let column = 0; column < SIZE; column++) {
        const from = n * PIXELS + (c * SIZE + column) * SIZE;
        let to = n * PIXELS + column * CHANNELS + c;
        for (let row = 0; row < SIZE; row++, to += SIZE * CHANNELS) {
          images[to] = x.data[from + row]!;
        }
      }
    }
  }
  return {
    images,
    labels: digits(y, count),
    count,
    height: SIZE,
    width: SIZE,
    channels: CHANNELS,
    classNames: Array.from({ length: CLASSES }, (_, digit) => String(digit)),
  };
}

/** The file says 10 for the digit 0. */
function digits(y: MatArray | undefined, count: number): Uint8Array {
  if (!y || y.data.length !== count) {
    throw new SyntaxError(
      `Cannot read SVHN: y must have ${count} labels as there are images, got ${
        y?.data.length ?? "none"
      }`,
    );
  }
  return Uint8Array.from(y.data, (label, n) => {
    if (!Number.isInteger(label) || label < 1 || label > CLASSES) {
      throw new SyntaxError(`Cannot read SVHN: label ${n} must be 1 to ${CLASSES}, got ${label}`);
    }
    return label % CLASSES;
  });
}

/** House numbers. */
export const SVHN: SetKind = {
  shape: { size: SIZE, channels: CHANNELS },
  files: { counts: { train: 73_257, test: 26_032 }, classes: CLASSES, source: svhnSource },
  mirrored: false,
  load: ({ dir }, split, say, around) => loadSvhn(split, dir, say, around),
};
