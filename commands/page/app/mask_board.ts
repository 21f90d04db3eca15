/// <reference lib="dom" />
/**
 * An image from which a person wipes what is to be made anew: with the pointer, or with arrow keys and
 * the space bar.
 *
 * @module
 */
import type { SiteSize } from "../site.ts";
import { contextOf, imageData, resize } from "./paint.ts";

/** What a key does to the place of the brush: columns and rows. */
const KEYS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] },
};

/** Share of the mask's colour that lies over wiped pixels. */
const COVER = 0.78;

/** See the module. */
export class MaskBoard {
  /** `[h, w]`, 1 where a pixel is wiped. */
  wiped: Uint8Array = new Uint8Array(0);
  /** Side of the brush in pixels. */
  brush = 3;
  #image: Float32Array | null = null;
  #at: [number, number] = [0, 0];
  #focused = false;

  constructor(private readonly canvas: HTMLCanvasElement, private size: SiteSize) {
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#wipeAt(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.#wipeAt(event);
    });
    canvas.addEventListener("keydown", (event) => this.#press(event));
    canvas.addEventListener("focus", () => this.#setFocus(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => this.#setFocus(false));
    this.show(null, size);
  }

  /** The image, `[h, w, c]`. */
  get image(): Float32Array | null {
    return this.#image;
  }

  /** Shows another image, whole. */
  show(image: Float32Array | null, size: SiteSize): void {
    [this.#image, this.size] = [image, size];
    this.wiped = new Uint8Array(size.height * size.width);
    this.#at = [size.width >> 1, size.height >> 1];
    this.#paint();
  }

  /** Wipes a rectangle, in pixels. */
  wipe(left: number, top: number, width: number, height: number): void {
    for (let y = Math.max(0, top); y < Math.min(this.size.height, top + height); y++) {
      for (let x = Math.max(0, left); x < Math.min(this.size.width, left + width); x++) {
        this.wiped[y * this.size.width + x] = 1;
      }
    }
    this.#paint();
  }

  /** Brings everything back. */
  clear(): void {
    this.wiped.fill(0);
    this.#paint();
  }

  #wipeAt({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    // The picture keeps its proportions inside the element.
    const scale = Math.min(width / this.size.width, height / this.size.height);
    const x = (clientX - left - (width - scale * this.size.width) / 2) / scale;
    const y = (clientY - top - (height - scale * this.size.height) / 2) / scale;
    this.#at = [Math.floor(x), Math.floor(y)];
    this.#wipeHere();
  }

  #wipeHere(): void {
    const [x, y] = this.#at, reach = (this.brush - 1) >> 1;
    this.wipe(x - reach, y - reach, this.brush, this.brush);
  }

  #press(event: KeyboardEvent): void {
    const move = KEYS[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    this.#setFocus(true);
    const [x, y] = this.#at;
    if (move) {
      this.#at = [
        Math.min(this.size.width - 1, Math.max(0, x + move[0])),
        Math.min(this.size.height - 1, Math.max(0, y + move[1])),
      ];
      this.#paint();
    } else this.#wipeHere();
  }

  #setFocus(focused: boolean): void {
    this.#focused = focused;
    this.#paint();
  }

  #paint(): void {
    const { height, width, channels } = this.size;
    resize(this.canvas, width, height);
    const image = this.#image ?? new Float32Array(height * width * channels);
    const pixels = imageData(image, 0, this.size);
    const mix = (p: number, colour: readonly number[], share: number) => {
      for (let c = 0; c < 3; c++) {
        pixels.data[4 * p + c] = (1 - share) * pixels.data[4 * p + c]! + share * colour[c]!;
      }
    };
    this.wiped.forEach((wiped, p) => {
      if (wiped) mix(p, [86, 104, 240], COVER);
    });
    if (this.#focused) mix(this.#at[1] * width + this.#at[0], [255, 150, 60], 0.85);
    contextOf(this.canvas).putImageData(pixels, 0, 0);
  }
}
