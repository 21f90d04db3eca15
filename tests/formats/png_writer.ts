/**
 * Writes PNGs of every kind, sample by sample: the naive counterpart of the reader.
 *
 * @module
 */
import { crc32, deflateSync } from "node:zlib";

/** What is written. */
export interface PngSpec {
  readonly width: number;
  readonly height: number;
  /** PNG's colour type. */
  readonly colour: number;
  /** Bits a sample. */
  readonly depth: number;
  readonly interlaced?: boolean;
  /** Rows of pixels of samples, at their depth; more rows than `height` are written as well. */
  readonly samples: readonly number[];
  readonly palette?: Uint8Array;
  /** Chunks before the pixels. */
  readonly extra?: readonly (readonly [type: string, content: Uint8Array])[];
}

const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Figure 4.8 of the specification: the pass of each pixel of an 8x8 tile. */
const PASSES = ["16462646", "77777777", "56565656", "77777777"];
const TILE = [...PASSES, "36463646", "77777777", "56565656", "77777777"];

/** A whole file. Row r has filter r mod 5. */
export function writePng(spec: PngSpec): Uint8Array<ArrayBuffer> {
  const { width, height, colour, depth, interlaced = false, samples, palette, extra = [] } = spec;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([depth, colour, 0, 0, interlaced ? 1 : 0], 8);
  const perPixel = SAMPLES[colour]!;
  const rows: number[][] = [];
  const written = samples.length / (width * perPixel);
  for (const pass of interlaced ? "1234567" : "0") {
    let row: number[] = [], above: number[] = [];
    for (let y = 0; y < written; y++) {
      let bits = "";
      for (let x = 0; x < width; x++) {
        if (pass !== "0" && TILE[y % 8]![x % 8] !== pass) continue;
        for (let s = 0; s < perPixel; s++) {
          bits += samples[(y * width + x) * perPixel + s]!.toString(2).padStart(depth, "0");
        }
      }
      if (bits === "") continue;
      row = bits.match(/.{1,8}/g)!.map((byte) => parseInt(byte.padEnd(8, "0"), 2));
      if (above.length === 0) above = row.map(() => 0);
      rows.push(filtered(rows.length % 5, row, above, Math.max(1, depth * perPixel / 8)));
      above = row;
    }
  }
  const chunks: [string, Uint8Array][] = [["IHDR", header]];
  if (palette) chunks.push(["PLTE", palette]);
  for (const [type, content] of extra) chunks.push([type, content]);
  const packed = new Uint8Array(deflateSync(Uint8Array.from(rows.flat())));
  // Two chunks, as long pictures have.
  chunks.push(["IDAT", packed.subarray(0, 5)], ["IDAT", packed.subarray(5)]);
  chunks.push(["IEND", new Uint8Array(0)]);
  const parts = [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]];
  for (const [type, content] of chunks) parts.push(chunk(type, content));
  return Uint8Array.from(parts.flat());
}

function chunk(type: string, content: Uint8Array): number[] {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc32(bytes.subarray(4, 8 + content.length)));
  return [...bytes];
}

function filtered(type: number, row: number[], above: number[], back: number): number[] {
  const predicted = row.map((_, i) => {
    const a = row[i - back] ?? 0, b = above[i]!, c = above[i - back] ?? 0;
    if (type === 4) {
      // The one of three that is closest to a + b - c, the first of equals.
      const far = (value: number) => Math.abs(a + b - c - value);
      return [a, b, c].reduce((best, value) => far(value) < far(best) ? value : best);
    }
    return [0, a, b, Math.floor((a + b) / 2)][type]!;
  });
  return [type, ...row.map((value, i) => (value - predicted[i]!) & 255)];
}
