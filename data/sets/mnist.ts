/**
 * MNIST and Fashion-MNIST in their original IDX files, gzipped or not.
 *
 * MNIST: LeCun et al. 1998, http://yann.lecun.com/exdb/mnist/. Fashion-MNIST: Xiao et al. 2017,
 * https://github.com/zalandoresearch/fashion-mnist.
 *
 * @module
 */
import { join } from "node:path";
import { readIdx } from "../../formats/idx.ts";
import type { RawImages, Say, Split } from "../dataset.ts";
import type { RemoteFile } from "../fetching/download.ts";
import type { SetKind } from "../set_kind.ts";
import { readFile, readingOf } from "../fetching/read_file.ts";
import { locate, type Probe, type Source, type Surroundings } from "../fetching/locate_files.ts";
import { exists } from "../../support/files.ts";

/** The sets that come in MNIST's files. */
export type MnistName = "mnist" | "fashion-mnist";

/** The two files of a split. */
interface Found {
  readonly images: string;
  readonly labels: string;
}

interface Facts {
  readonly title: string;
  /** Its folder in the root that torchvision is given. */
  readonly torchvision: string;
  readonly classNames: readonly string[];
  readonly systemFolders: readonly string[];
  readonly debian?: { readonly package: string; readonly folder: string };
  readonly urls: readonly string[];
  /** Size and SHA-256 of train images, train labels, test images, test labels. */
  readonly files: readonly (readonly [bytes: number, sha256: string])[];
}

const FACTS: Readonly<Record<MnistName, Facts>> = {
  "mnist": {
    title: "MNIST",
    torchvision: "MNIST",
    classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    systemFolders: ["/usr/share/datasets/mnist"],
    urls: [
      "https://ossci-datasets.s3.amazonaws.com/mnist/",
      "http://yann.lecun.com/exdb/mnist/",
    ],
    files: [
      [9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"],
      [28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"],
      [1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"],
      [4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"],
    ],
  },
  "fashion-mnist": {
    title: "Fashion-MNIST",
    torchvision: "FashionMNIST",
    classNames: [
      "T-shirt/top",
      "trouser",
      "pullover",
      "dress",
      "coat",
      "sandal",
      "shirt",
      "sneaker",
      "bag",
      "ankle boot",
    ],
    systemFolders: ["/usr/share/datasets/fashion-mnist"],
    debian: { package: "dataset-fashion-mnist", folder: "usr/share/datasets/fashion-mnist" },
    urls: ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    files: [
      [26421856, "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"],
      [29491, "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"],
      [4422079, "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"],
      [5125, "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"],
    ],
  },
};

const FILE_NAMES = [
  "train-images-idx3-ubyte.gz",
  "train-labels-idx1-ubyte.gz",
  "t10k-images-idx3-ubyte.gz",
  "t10k-labels-idx1-ubyte.gz",
] as const;

const CLASSES = 10, SIZE = 28;

/** Where a set's files can come from. */
export function mnistSource(name: MnistName, split: Split): Source<Found> {
  const { title, torchvision, systemFolders, debian, urls, files } = FACTS[name];
  const remote = FILE_NAMES.map((file, i): RemoteFile => ({
    name: file,
    bytes: files[i]![0],
    sha256: files[i]![1],
    urls: urls.map((url) => url + file),
  }));
  const [images, labels] = split === "train" ? FILE_NAMES : FILE_NAMES.slice(2);
  return {
    title,
    folder: name,
    systemFolders,
    ...(debian ? { debian } : {}),
    files: remote,
    inside: [`${torchvision}/raw`, torchvision, "raw"],
    probe: (folder) => probe(folder, images!, labels!),
  };
}

async function probe(folder: string, images: string, labels: string): Promise<Probe<Found>> {
  const [imagePath, labelPath] = [await findIdx(folder, images), await findIdx(folder, labels)];
  if (imagePath && labelPath) return { found: { images: imagePath, labels: labelPath } };
  return { lacks: `no ${imagePath ? labels : images}` };
}

/** The file under one of the names that are in use: gzipped or not, with a dash or a dot. */
async function findIdx(folder: string, name: string): Promise<string | null> {
  const plain = name.slice(0, -".gz".length);
  for (
    const candidate of [name, plain, plain.replace("-idx", ".idx"), name.replace("-idx", ".idx")]
  ) {
    // Some unpack a file into a folder of its name.
    for (const path of [join(folder, candidate), join(folder, candidate, candidate)]) {
      if (await exists(path) && (await Deno.stat(path)).isFile) return path;
    }
  }
  return null;
}

/**
 * Loads a split.
 *
 * @returns 28x28 grey images with labels, in the order of the files.
 * @throws Error when the files are nowhere, SyntaxError when one is damaged (with its path and
 * the byte).
 */
export async function loadMnist(
  name: MnistName,
  split: Split,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const paths = await locate(mnistSource(name, split), dir, say, surroundings);
  const images = await readingOf(paths.images, async () => readIdx(await readFile(paths.images)));
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || count === 0 || height !== SIZE || width !== SIZE) {
    throw new SyntaxError(
      `Cannot read ${paths.images}: the shape must be [count, ${SIZE}, ${SIZE}], ` +
        `got [${images.shape.join(", ")}]`,
    );
  }
  const labels = await readingOf(paths.labels, async () => readIdx(await readFile(paths.labels)));
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new SyntaxError(
      `Cannot read ${paths.labels}: the shape must be [${count}] as there are images, ` +
        `got [${labels.shape.join(", ")}]`,
    );
  }
  const wrong = labels.data.findIndex((label) => label >= CLASSES);
  if (wrong >= 0) {
    throw new SyntaxError(
      `Cannot read ${paths.labels}: byte ${8 + wrong} (the label of image ${wrong}) must be 0 to ` +
        `${CLASSES - 1}, got ${labels.data[wrong]}`,
    );
  }
  return {
    images: images.data,
    labels: labels.data,
    count: count!,
    height: SIZE,
    width: SIZE,
    channels: 1,
    classNames: FACTS[name].classNames,
  };
}

function kindOf(name: MnistName): SetKind {
  return {
    shape: { size: SIZE, channels: 1 },
    files: {
      counts: { train: 60_000, test: 10_000 },
      classes: CLASSES,
      source: (split) => mnistSource(name, split),
    },
    load: ({ dir }, split, say, around) => loadMnist(name, split, dir, say, around),
  };
}

/** Handwritten digits. */
export const MNIST: SetKind = { ...kindOf("mnist"), mirrored: false };
/** Pictures of clothes. */
export const FASHION_MNIST: SetKind = kindOf("fashion-mnist");
