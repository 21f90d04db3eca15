/**
 * The pictures that a command line asks for beside single images: a grid, a movie, a strip.
 *
 * @module
 */
import { extname } from "node:path";
import { writeNpz } from "../../formats/npy.ts";
import { encodePng } from "../../formats/png.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import { UsageError } from "../../support/errors.ts";
import { areSignals, gridPng, type ImageSize } from "../../training/pictures.ts";
import { checkResultFile } from "../shared/path_checks.ts";
import type { Onlooker } from "./draw.ts";
import { knownBytes } from "./given_image.ts";
import type { GivenImage, Job } from "./jobs.ts";
import { Movie, walkGif } from "./movie.ts";
import { Strip } from "./strip.ts";

/** Where the grid goes unless told otherwise. */
const OUT = "samples.png";
/** Images of a grid at most, images of a row of an interpolation, and columns of a strip. */
const MAX_GRID = 4096, MAX_ROW = 16, STRIP_STEPS = 8;

/** The options that decide which pictures are made. */
export interface PictureOptions {
  readonly out: string | undefined;
  readonly images: string | undefined;
  readonly npz: string | undefined;
  readonly movie: string | undefined;
  readonly movieX0: boolean;
  readonly strip: string | undefined;
  readonly stripSteps: number | undefined;
  readonly interpolate: readonly [number, number] | undefined;
  readonly inpaint: string | undefined;
}

/** A file to be written. */
export interface PictureFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The pictures of a job. */
export class Pictures {
  readonly #movie: Movie | null;
  readonly #strip: Strip | null;
  readonly #out: string | undefined;

  /**
   * @param given The image that is filled in; the grid begins with it.
   * @throws {UsageError} For options that do not go together.
   */
  constructor(
    private readonly options: PictureOptions,
    private readonly job: Job,
    private readonly size: ImageSize,
    private readonly given: GivenImage | null,
  ) {
    const { movie, movieX0, strip, stripSteps, interpolate } = options;
    for (
      const [name, there, other] of [["movie-x0", movieX0, movie], [
        "strip-steps",
        stripSteps,
        strip,
      ]] as const
    ) {
      if (!there || other !== undefined) continue;
      throw new UsageError(`Cannot use --${name} alone: it must come with --${name.split("-")[0]}`);
    }
    if (interpolate && movieX0) {
      throw new UsageError(
        "Cannot use --movie-x0 with --interpolate: its movie shows finished images",
      );
    }
    const unplotted = areSignals(size)
      ? (["movie", "strip", "inpaint"] as const).find((name) => options[name] !== undefined)
      : undefined;
    if (unplotted !== undefined) {
      throw new UsageError(`Cannot use --${unplotted} for signals: it is made of images`);
    }
    this.#out = gridPlace(options);
    const { timesteps, names } = job;
    if (this.#out !== undefined && names.length > MAX_GRID) {
      throw new UsageError(
        `Cannot draw a grid of ${names.length} images: it must have at most ${MAX_GRID}, give --images DIR without --out`,
      );
    }
    this.#movie = movie !== undefined && !interpolate ? new Movie(size, timesteps, movieX0) : null;
    this.#strip = strip === undefined
      ? null
      : new Strip(size, timesteps, stripSteps ?? STRIP_STEPS);
  }

  /** Whether there is any, for which all images must be drawn. */
  get wanted(): boolean {
    const { movie, strip, npz } = this.options;
    return [this.#out, movie, strip, npz].some((path) => path !== undefined);
  }

  /** Who must see images on the way. */
  get onlookers(): Onlooker[] {
    return [this.#movie, this.#strip].filter((it) => it !== null);
  }

  /**
   * The files, once all images are drawn.
   *
   * @param images `[n, h, w, c]`.
   * @param array What --npz writes, without a name.
   */
  files(images: Uint8Array, array: () => StoredTensor): PictureFile[] {
    const { movie, strip, npz } = this.options;
    const { names } = this.job;
    const files: PictureFile[] = [];
    if (this.#out !== undefined) files.push({ path: this.#out, bytes: this.#grid(images) });
    if (npz !== undefined) files.push({ path: npz, bytes: writeNpz([["arr_0", array()]]) });
    if (movie !== undefined) {
      const bytes = this.#movie?.gif() ?? walkGif(images, names.length, this.size);
      files.push({ path: movie, bytes });
    }
    if (strip !== undefined && this.#strip) {
      files.push({ path: strip, bytes: encodePng(this.#strip.picture(names)) });
    }
    return files;
  }

  #grid(images: Uint8Array): Uint8Array {
    const { size, given } = this;
    let count = this.job.names.length, all = images;
    if (given) {
      const first = knownBytes(given);
      all = new Uint8Array(first.length + images.length);
      all.set(first);
      all.set(images, first.length);
      count++;
    }
    const row = this.options.interpolate ? MAX_ROW : given ? undefined : this.job.columns;
    return gridPng(all, count, size, row === undefined ? undefined : Math.min(count, row));
  }
}

/** Where the grid goes, if anywhere. */
function gridPlace({ out, images, npz }: PictureOptions): string | undefined {
  return out ?? (images === undefined && npz === undefined ? OUT : undefined);
}

/**
 * Refuses places that pictures cannot go to, before anything is drawn.
 *
 * @throws {UsageError} One line, when a path is a mistake.
 * @throws {Error} One line, when a right is missing.
 */
export async function checkPlaces(options: PictureOptions): Promise<void> {
  const { movie, strip, npz } = options;
  const places = [
    ["out", gridPlace(options), ".png"],
    ["movie", movie, ".gif"],
    ["strip", strip, ".png"],
    ["npz", npz, ".npz"],
  ] as const;
  for (const [option, path, extension] of places) {
    if (path === undefined) continue;
    if (extname(path).toLowerCase() !== extension) {
      throw new UsageError(`Cannot write ${path}: --${option} must end in ${extension}`);
    }
    await checkResultFile(path);
  }
}
