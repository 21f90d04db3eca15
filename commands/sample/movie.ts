/**
 * Animations: how images came about, and a walk between two of them.
 *
 * @module
 */
import type { StepImages } from "../../diffusion/sampling.ts";
import { encodeGif } from "../../formats/gif.ts";
import { imageGrid } from "../../formats/png.ts";
import { type ImageSize, toBytes, visibleScale } from "../../training/pictures.ts";

/** Frames of a movie and images in it at most. */
const MAX_FRAMES = 60, MAX_IMAGES = 64;
/** Side of all images together and of one at most, in screen pixels, about. */
const WHOLE_SIDE = 384, SINGLE_SIDE = 192;
/** Milliseconds that a movie is to last, and bounds of a frame's share of them. */
const LENGTH = 4000, SHORTEST = 60, LONGEST = 400;
/** Milliseconds that the last frame stays, and those of the ends of a walk. */
const LAST = 2000, END = 800;

/** Collects frames while images are drawn. */
export class Movie {
  /** Frames by move; -1 is the noise before the first. Each is the images of all batches so far. */
  readonly #frames = new Map<number, Uint8Array[]>();
  readonly #moves: ReadonlySet<number>;
  readonly #first: number;
  readonly #last: number;
  /** Images of the batches that are done. */
  #count = 0;

  /**
   * @param timesteps Of the moves, null where nothing is to be seen.
   * @param predicted Whether frames show the predicted clean images in place of the noisy ones.
   */
  constructor(
    private readonly size: ImageSize,
    timesteps: readonly (number | null)[],
    private readonly predicted: boolean,
  ) {
    const seen = timesteps.flatMap((timestep, i) => timestep === null ? [] : [i]);
    const every = Math.ceil(seen.length / MAX_FRAMES);
    // Counted from the end, so that the finished images are among them.
    this.#moves = new Set(seen.filter((_, i) => (seen.length - 1 - i) % every === 0));
    this.#first = Math.min(...this.#moves);
    this.#last = seen.at(-1)!;
  }

  /** Whether the move is to be shown. */
  wants(move: number): boolean {
    return this.#moves.has(move);
  }

  /** Adds what a move did to the images of one batch. */
  add(move: number, { before, predicted, after }: StepImages): void {
    if (move === this.#first && !this.predicted) this.#push(-1, before);
    this.#push(move, this.predicted ? predicted : after);
    if (move === this.#last) this.#count += after.length / this.#length;
  }

  /** The animation of all images. */
  gif(): Uint8Array {
    const count = Math.min(this.#count, MAX_IMAGES);
    const side = Math.min(SINGLE_SIDE, WHOLE_SIDE / Math.ceil(Math.sqrt(count)));
    const frames = [...this.#frames.keys()].sort((a, b) => a - b).map((move) => {
      return gridFrame(this.#frames.get(move)!, count, this.size, side);
    });
    const delay = Math.max(SHORTEST, Math.min(LONGEST, LENGTH / frames.length));
    const { width, height } = frames[0]!;
    const { channels } = this.size;
    return encodeGif(frames.map(({ data }) => data), {
      ...{ width, height, channels, delay },
      lastDelay: LAST,
    });
  }

  /** Values an image. */
  get #length(): number {
    return this.size.height * this.size.width * this.size.channels;
  }

  #push(move: number, values: Float32Array): void {
    const room = Math.max(0, MAX_IMAGES - this.#count) * this.#length;
    if (room === 0) return;
    const parts = this.#frames.get(move) ?? [];
    parts.push(toBytes(values.subarray(0, room)));
    this.#frames.set(move, parts);
  }
}

function gridFrame(parts: readonly Uint8Array[], count: number, size: ImageSize, side: number) {
  const images = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    images.set(part, at);
    at += part.length;
  }
  return imageGrid(images, { count, ...size, padding: 1, scale: visibleScale(size, side) });
}

/** The animation of a walk, there and back again: `[count, h, w, c]` as bytes, at least two images. */
export function walkGif(images: Uint8Array, count: number, size: ImageSize): Uint8Array {
  const length = size.height * size.width * size.channels;
  const there = Array.from({ length: count }, (_, i) => i);
  const order = [...there, ...there.slice(1, -1).reverse()];
  const delay = Math.max(SHORTEST, Math.min(LONGEST, LENGTH / order.length));
  // An end stays for as long as END by being shown several times.
  const stay = Math.max(1, Math.round(END / delay));
  const shown = order.flatMap((i) => {
    return i === 0 || i === count - 1 ? new Array<number>(stay).fill(i) : [i];
  });
  const frames = shown.map((i) => {
    const image = images.subarray(i * length, (i + 1) * length);
    return gridFrame([image], 1, size, SINGLE_SIDE);
  });
  const { width, height } = frames[0]!;
  return encodeGif(frames.map(({ data }) => data), {
    ...{ width, height, channels: size.channels, delay },
  });
}
