/**
 * A strip of intermediates: for a few images the noisy x_t and the clean image predicted from it, at
 * timesteps from the first to the last.
 *
 * @module
 */
import type { StepImages } from "../../diffusion/sampling.ts";
import type { Picture } from "../../formats/png.ts";
import { type ImageSize, toBytes, visibleScale } from "../../training/pictures.ts";
import { drawText, textSize } from "../shared/lettering.ts";

/** Images that a strip shows at most. */
const MAX_IMAGES = 4;
/** Side of an image, gaps and the side of a letter's dot, in screen pixels. */
const SIDE = 64, GAP = 4, LETTER = 2;
const PAPER = 255, INK = 60;

/** Collects intermediates while images are drawn. */
export class Strip {
  /** Moves that are shown, one a column. */
  readonly #columns: readonly number[];
  /** Bytes of x_t and of the prediction by column, images one after the other. */
  readonly #cells = new Map<number, { before: Uint8Array[]; predicted: Uint8Array[] }>();

  /**
   * @param timesteps Of the moves, null where there is nothing to be seen.
   * @param columns How many of them are shown, at least 1.
   */
  constructor(
    private readonly size: ImageSize,
    private readonly timesteps: readonly (number | null)[],
    columns: number,
  ) {
    const seen = timesteps.flatMap((timestep, i) => timestep === null ? [] : [i]);
    const count = Math.min(columns, seen.length);
    const at = (k: number) =>
      count === 1 ? seen.length - 1 : Math.round(k * (seen.length - 1) / (count - 1));
    this.#columns = Array.from({ length: count }, (_, k) => seen[at(k)]!);
  }

  /** Whether the move is to be shown. */
  wants(move: number): boolean {
    return this.#columns.includes(move);
  }

  /** Adds what a move did to the images of one batch. */
  add(move: number, { before, predicted }: StepImages): void {
    const length = this.size.height * this.size.width * this.size.channels;
    const cells = this.#cells.get(move) ?? { before: [], predicted: [] };
    for (let at = 0; at < before.length && cells.before.length < MAX_IMAGES; at += length) {
      cells.before.push(toBytes(before.subarray(at, at + length)));
      cells.predicted.push(toBytes(predicted.subarray(at, at + length)));
    }
    this.#cells.set(move, cells);
  }

  /** The picture; rows are labelled with the images' names. */
  picture(names: readonly string[]): Picture {
    const rows = this.#cells.get(this.#columns[0]!)!.before.length;
    const scale = visibleScale(this.size, SIDE);
    const cellWidth = this.size.width * scale, cellHeight = this.size.height * scale;
    const labels = names.slice(0, rows).map((name) => name.replace(/^0+(?=\d)/, ""));
    const left = GAP + Math.max(...[...labels, "X0"].map((it) => textSize(it, LETTER).width)) +
      2 * GAP;
    const line = textSize("X", LETTER).height;
    const top = GAP + line + GAP;
    // The two rows of an image stand closer than those of different images.
    const block = 2 * cellHeight + 1 + 2 * GAP;
    const canvas = new Canvas(
      left + this.#columns.length * (cellWidth + GAP),
      top + rows * block,
    );
    this.#columns.forEach((move, k) => {
      const x = left + k * (cellWidth + GAP);
      canvas.text(this.#heading(move, cellWidth), x, GAP);
      const { before, predicted } = this.#cells.get(move)!;
      for (let row = 0; row < rows; row++) {
        const y = top + row * block;
        canvas.image(before[row]!, this.size, x, y, scale);
        canvas.image(predicted[row]!, this.size, x, y + cellHeight + 1, scale);
      }
    });
    labels.forEach((label, row) => {
      const y = top + row * block;
      canvas.text(label, GAP, y);
      canvas.text("X", GAP, y + cellHeight - line);
      canvas.text("X0", GAP, y + 2 * cellHeight + 1 - line);
    });
    return canvas.picture;
  }

  /** "T 999", or the bare number where that is too wide. */
  #heading(move: number, width: number): string {
    const number = String(this.timesteps[move]);
    const whole = `T ${number}`;
    return textSize(whole, LETTER).width <= width ? whole : number;
  }
}

/** An RGB picture to draw on. */
class Canvas {
  readonly #data: Uint8Array;

  constructor(private readonly width: number, private readonly height: number) {
    this.#data = new Uint8Array(width * height * 3).fill(PAPER);
  }

  get picture(): Picture {
    return { width: this.width, height: this.height, channels: 3, data: this.#data };
  }

  /** An image `[h, w, c]` of one or three channels, each pixel `scale` times both ways. */
  image(
    data: Uint8Array,
    { height, width, channels }: ImageSize,
    x: number,
    y: number,
    scale: number,
  ): void {
    for (let row = 0; row < height * scale; row++) {
      for (let column = 0; column < width * scale; column++) {
        const pixel = Math.floor(row / scale) * width + Math.floor(column / scale);
        const to = ((y + row) * this.width + x + column) * 3;
        for (let c = 0; c < 3; c++) this.#data[to + c] = data[pixel * channels + c % channels]!;
      }
    }
  }

  text(text: string, x: number, y: number): void {
    drawText(text, x, y, LETTER, (left, top) => {
      for (let row = top; row < top + LETTER; row++) {
        this.#data.fill(INK, (row * this.width + left) * 3, (row * this.width + left + LETTER) * 3);
      }
    });
  }
}
