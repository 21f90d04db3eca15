/**
 * Images at hand, and pictures of them: files, or shown in a notebook.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { dirname } from "node:path";
import { setGrid } from "../commands/shared/set_grid.ts";
import type { ImageSet, Pixels } from "../data/dataset.ts";
import { encodePng } from "../formats/png.ts";
import { atomicWrite, ensureFolder } from "../support/files.ts";
import { gridPng, type ImageSize, toBytes } from "../training/pictures.ts";

/** What Deno's Jupyter kernel calls on the value of a cell. */
const DISPLAY = Symbol.for("Jupyter.display");

/** A PNG. A notebook shows it where it is the value of a cell. */
export class Picture {
  /** A picture of the bytes of its file. */
  constructor(
    /** The bytes of the file. */
    readonly png: Uint8Array,
  ) {}

  /**
   * Writes the file, and its folder where there is none.
   *
   * @throws {Error} One line, when it can't be written.
   */
  async save(path: string): Promise<void> {
    await ensureFolder(dirname(path));
    await atomicWrite(path, this.png);
  }

  /** What a notebook shows. */
  [DISPLAY](): Record<string, string> {
    return { "image/png": Buffer.from(this.png).toString("base64"), "text/plain": "a picture" };
  }
}

/** Images as a network makes them. A notebook shows them as a grid. */
export class Images implements Pixels {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  /**
   * Images of a size.
   *
   * @throws {RangeError} When they are no whole number of images.
   */
  constructor(
    /** `[count, height, width, channels]` in [-1, 1]. */
    readonly floats: Float32Array<ArrayBuffer>,
    { height, width, channels }: ImageSize,
  ) {
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.count = floats.length / (height * width * channels);
    if (Number.isInteger(this.count)) return;
    throw new RangeError(
      `Cannot make images: values must be a multiple of ${
        height * width * channels
      }, those of one ` +
        `image, got ${floats.length}`,
    );
  }

  /** The same as bytes: rounded, and clipped. */
  get images(): Uint8Array<ArrayBuffer> {
    return this.#bytes ??= toBytes(this.floats);
  }

  /** The images of several, one after the other. */
  static join(parts: readonly Images[]): Images {
    const [first] = parts;
    if (!first) throw new RangeError("Cannot join images: there must be some, got none");
    const floats = new Float32Array(parts.reduce((sum, part) => sum + part.floats.length, 0));
    let at = 0;
    for (const part of parts) {
      floats.set(part.floats, at);
      at += part.floats.length;
    }
    return new Images(floats, first);
  }

  /** A picture of all, in as many columns as rows unless given. */
  grid(columns?: number): Picture {
    return new Picture(gridPng(this.images, this.count, this, columns));
  }

  /** What a notebook shows. */
  [DISPLAY](): Record<string, string> {
    return this.grid()[DISPLAY]();
  }
}

/** Images of a data set that a picture shows at most, unless told otherwise. */
const SHOWN = 100;

/**
 * A picture of a data set: a row a class where there are few classes, else images spread over the set.
 *
 * @param count Images at most; 100 unless given.
 */
export function showSet(set: ImageSet, count = SHOWN): Picture {
  return new Picture(encodePng(setGrid(set, count)));
}
