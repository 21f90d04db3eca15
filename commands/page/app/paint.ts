/// <reference lib="dom" />
/**
 * Paints images of the network on canvases, a pixel a pixel; style sheets enlarge them.
 *
 * @module
 */
import type { SiteSize } from "../site.ts";

/** Pixels between images. */
const GAP = 1;

/** Images in rows and columns. */
export interface Grid {
  /** `[count, h, w, c]` in [-1, 1]. */
  readonly images: Float32Array;
  readonly count: number;
  readonly size: SiteSize;
  readonly columns: number;
}

/** Columns that make a grid about as wide as it is high. */
export function squareColumns(count: number): number {
  return Math.ceil(Math.sqrt(count));
}

/** Paints a grid; what lies between images is clear. */
export function paintGrid(canvas: HTMLCanvasElement, { images, count, size, columns }: Grid): void {
  const { height, width } = size;
  const rows = Math.ceil(count / columns);
  resize(canvas, columns * (width + GAP) - GAP, rows * (height + GAP) - GAP);
  const context = contextOf(canvas);
  for (let i = 0; i < count; i++) {
    const left = i % columns * (width + GAP), top = Math.floor(i / columns) * (height + GAP);
    context.putImageData(imageData(images, i, size), left, top);
  }
}

/** Pixels of an image of many. */
export function imageData(
  images: Float32Array,
  index: number,
  { height, width, channels }: SiteSize,
): ImageData {
  const data = new ImageData(width, height), pixels = height * width;
  const start = index * pixels * channels;
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < 3; c++) {
      const value = images[start + p * channels + (channels === 3 ? c : 0)]!;
      data.data[4 * p + c] = Math.round(value * 127.5 + 127.5);
    }
    data.data[4 * p + 3] = 255;
  }
  return data;
}

/** Sets a canvas's size where it is another, which clears it. */
export function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** What draws on a canvas. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("Cannot paint: the browser must give a canvas to paint on");
  return context;
}

/** Offers a canvas as a PNG, enlarged until it is easy to look at. */
export async function savePng(canvas: HTMLCanvasElement, name: string): Promise<void> {
  const scale = Math.max(1, Math.floor(768 / Math.max(canvas.width, canvas.height)));
  const large = new OffscreenCanvas(canvas.width * scale, canvas.height * scale);
  const context = large.getContext("2d")!;
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await large.convertToBlob({ type: "image/png" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
