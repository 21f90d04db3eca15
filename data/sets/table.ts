/**
 * The data sets by name, a line each.
 *
 * @module
 */
import type { SetKind } from "../set_kind.ts";
import { CIFAR10, CIFAR100 } from "./cifar.ts";
import { FOLDER } from "./image_folder.ts";
import { MEDMNIST, NPZ } from "./medmnist.ts";
import { FASHION_MNIST, MNIST } from "./mnist.ts";
import { AFHQ } from "./originals/afhq.ts";
import { CELEBA } from "./originals/celeba.ts";
import { CELEBA_HQ } from "./originals/celeba_hq.ts";
import { DTD } from "./originals/dtd.ts";
import { EDM } from "./originals/edm.ts";
import { FFHQ } from "./originals/ffhq.ts";
import { FLOWERS102 } from "./originals/flowers102.ts";
import { IMAGENET } from "./originals/imagenet.ts";
import { IMAGENETTE } from "./originals/imagenette.ts";
import { LSUN } from "./originals/lsun.ts";
import { PLACES365 } from "./originals/places365.ts";
import { TINY_IMAGENET } from "./originals/tiny_imagenet.ts";
import { PARQUET } from "./parquet.ts";
import { SIGNALS } from "./signals.ts";
import { SVHN } from "./svhn.ts";
import { SYNTHETIC } from "./synthetic.ts";
import { TFRECORD } from "./tfrecord.ts";

/** Sets that are read from known files, or made; any two of them can be mixed. */
export const SOURCES = {
  "fashion-mnist": FASHION_MNIST,
  "mnist": MNIST,
  "cifar10": CIFAR10,
  "cifar100": CIFAR100,
  "svhn": SVHN,
  ...MEDMNIST,
  "synthetic": SYNTHETIC,
} as const satisfies Readonly<Record<string, SetKind>>;

/** Sets that are whatever their files hold. */
export const OPEN_SETS = {
  "folder": FOLDER,
  "parquet": PARQUET,
  "tfrecord": TFRECORD,
  "tiny-imagenet": TINY_IMAGENET,
  "imagenette": IMAGENETTE,
  "dtd": DTD,
  "flowers102": FLOWERS102,
  "celeba": CELEBA,
  "celeba-hq": CELEBA_HQ,
  "ffhq": FFHQ,
  "afhq": AFHQ,
  "imagenet": IMAGENET,
  "places365": PLACES365,
  "lsun": LSUN,
  "edm": EDM,
  "npz": NPZ,
  "signals": SIGNALS,
} as const satisfies Readonly<Record<string, SetKind>>;
