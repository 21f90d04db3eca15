import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { deflateSync } from "node:zlib";
import { withoutAlpha } from "../../formats/picture.ts";
import { checkPngHeader, decodePng, encodePng, imageGrid } from "../../formats/png.ts";
import { writePng } from "./png_writer.ts";

const picture = (width: number, height: number, channels: number) => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: width * height * channels }, (_, i) => i * 37 + (i >> 3)),
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** `bytes` with one byte of IHDR changed and the chunk's checksum made right. */
function withHeaderByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  new DataView(changed.buffer).setUint32(29, crc32(changed.subarray(12, 29)));
  return changed;
}

Deno.test("decodePng() gives back what encodePng() wrote: grey, RGB and RGBA", () => {
  for (const channels of [1, 3, 4]) {
    const original = picture(5, 7, channels);
    assertEquals(decodePng(encodePng(original)), original);
  }
});

Deno.test("encodePng() gives equal bytes for equal pictures", () => {
  assertEquals(encodePng(picture(9, 4, 3)), encodePng(picture(9, 4, 3)));
});

Deno.test("encodePng() refuses sizes that do not fit", () => {
  assertThrows(() => encodePng({ ...picture(2, 2, 3), channels: 2 }), RangeError, "1, 3 or 4");
  assertThrows(() => encodePng({ ...picture(2, 2, 3), width: 3 }), RangeError, "18 bytes, got 12");
  assertThrows(() => encodePng({ ...picture(2, 2, 3), height: 0 }), RangeError, "height");
});

Deno.test("decodePng() refuses a size that its bytes cannot justify", () => {
  const bytes = encodePng(picture(5, 7, 3));
  const wide = withHeaderByte(bytes, 16, 0x7f); // 2 billion pixels wide
  assertThrows(() => decodePng(wide), SyntaxError, "must come from at least");
  assertThrows(() => decodePng(withHeaderByte(bytes, 19, 0)), SyntaxError, "must not be 0");
});

Deno.test("decodePng() refuses data that is too short or much too long for its size", () => {
  const bytes = encodePng(picture(5, 7, 3));
  assertThrows(() => decodePng(withHeaderByte(bytes, 23, 200)), SyntaxError);
  const noise = new Uint8Array(400 * 400 * 3);
  for (let i = 0, s = 1; i < noise.length; i++) {
    s = Math.imul(s, 1664525) + 1013904223;
    noise[i] = s >>> 24;
  }
  let big = encodePng({ width: 400, height: 400, channels: 3, data: noise });
  for (const at of [18, 22]) big = withHeaderByte(big, at, 0);
  for (const at of [19, 23]) big = withHeaderByte(big, at, 1);
  assertThrows(() => decodePng(big), SyntaxError, "must come from at most");
});

/** Samples that look random, each of `depth` bits. */
function samplesOf(count: number, depth: number): number[] {
  let state = count;
  return Array.from({ length: count }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return (state >>> 8) % 2 ** depth;
  });
}

const DEPTHS: readonly [colour: number, samples: number, depths: number[]][] = [
  [0, 1, [1, 2, 4, 8, 16]],
  [2, 3, [8, 16]],
  [4, 2, [8, 16]],
  [6, 4, [8, 16]],
];

Deno.test("decodePng() brings every colour type and depth to 8 bits, with every filter", () => {
  for (const [colour, perPixel, depths] of DEPTHS) {
    for (const depth of depths) {
      for (const [width, height] of [[1, 1], [13, 11], [5, 8], [8, 5]] as const) {
        for (const interlaced of [false, true]) {
          const samples = samplesOf(width * height * perPixel, depth);
          const bytes = writePng({ width, height, colour, depth, interlaced, samples });
          const data = Uint8Array.from(
            samples,
            (value) => depth === 16 ? value >> 8 : Math.round(value * 255 / (2 ** depth - 1)),
          );
          const what = `colour ${colour}, ${depth} bits, ${width}x${height}, ${interlaced}`;
          assertEquals(decodePng(bytes), { width, height, channels: perPixel, data }, what);
          assertEquals(checkPngHeader(bytes), { width, height, channels: perPixel }, what);
        }
      }
    }
  }
});

Deno.test("decodePng() looks colours up in a palette", () => {
  for (const depth of [1, 2, 4, 8]) {
    for (const interlaced of [false, true]) {
      const samples = samplesOf(11 * 9, depth);
      const palette = Uint8Array.from({ length: 3 * 2 ** depth }, (_, i) => 251 * i);
      const options = { width: 11, height: 9, colour: 3, depth, interlaced, samples, palette };
      const data = samples.flatMap((value) => [...palette.subarray(3 * value, 3 * value + 3)]);
      assertEquals(decodePng(writePng(options)), {
        width: 11,
        height: 9,
        channels: 3,
        data: Uint8Array.from(data),
      });
      const short = writePng({ ...options, palette: palette.subarray(0, 3) });
      assertThrows(() => decodePng(short), SyntaxError, "must be one of 1 colours");
    }
  }
});

Deno.test("withoutAlpha() drops the last of two or four channels alone", () => {
  const rgba = picture(2, 1, 4), grey = picture(3, 1, 2);
  assertEquals([...withoutAlpha(rgba).data], [0, 37, 74, 148, 185, 222]);
  assertEquals([...withoutAlpha(grey).data], [0, 74, 148]);
  assertEquals([withoutAlpha(rgba).channels, withoutAlpha(grey).channels], [3, 1]);
  assert(withoutAlpha(picture(2, 2, 3)).data.length === 12);
});

Deno.test("decodePng() refuses kinds that PNG does not have", () => {
  const bytes = encodePng(picture(5, 7, 3));
  assertThrows(() => decodePng(withHeaderByte(bytes, 25, 3)), SyntaxError, "palette, got none");
  assertThrows(() => decodePng(withHeaderByte(bytes, 25, 5)), SyntaxError, "type 5");
  assertThrows(() => decodePng(withHeaderByte(bytes, 24, 4)), SyntaxError, "with 4 bits");
  assertThrows(() => decodePng(withHeaderByte(bytes, 28, 2)), SyntaxError, "interlacing 0 or 1");
  assertThrows(() => decodePng(new Uint8Array(40)), SyntaxError, "signature");
});

Deno.test("decodePng() inflates no more than the size needs, and nothing beside the pixels", () => {
  // A profile that would inflate to 64 MiB, and a picture with more data than pixels.
  const bomb = new Uint8Array(deflateSync(new Uint8Array(64 << 20)));
  const profile = new Uint8Array([...new TextEncoder().encode("name"), 0, 0, ...bomb]);
  const options = { width: 3, height: 2, colour: 0, depth: 8, samples: [1, 2, 3, 4, 5, 6] };
  const before = Deno.memoryUsage().external;
  const read = decodePng(writePng({ ...options, extra: [["iCCP", profile]] }));
  assertEquals([...read.data], options.samples);
  const long = writePng({ ...options, height: 1 });
  assertThrows(() => decodePng(long), SyntaxError, "inflate to 4 bytes, got more");
  const far = writePng({ ...options, extra: [["IDAT", bomb]] });
  assertThrows(() => decodePng(far), SyntaxError, "inflate to 8 bytes");
  assert(Deno.memoryUsage().external - before < 8 << 20);
});

Deno.test("decodePng() refuses every truncation and every changed byte but in free chunks", () => {
  const bytes = encodePng(picture(6, 6, 3));
  for (let length = 0; length < bytes.length - 12; length++) {
    assertThrows(() => decodePng(bytes.subarray(0, length)), SyntaxError);
  }
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 0x55;
    const error = assertThrows(() => decodePng(changed), Error, "Cannot decode PNG: ");
    assert(error instanceof SyntaxError, `byte ${at}: ${error}`);
  }
});

Deno.test("imageGrid() lays out, pads and scales as counted by hand", () => {
  // Three 1x2 grey images, two a row, one pixel of padding of value 9.
  const images = new Uint8Array([1, 2, 3, 4, 5, 6]);
  const options = { count: 3, height: 1, width: 2, channels: 1, columns: 2, padding: 1 };
  const grid = imageGrid(images, { ...options, background: 9 });
  assertEquals([grid.width, grid.height, grid.channels], [7, 5, 1]);
  const rows = [
    [9, 9, 9, 9, 9, 9, 9],
    [9, 1, 2, 9, 3, 4, 9],
    [9, 9, 9, 9, 9, 9, 9],
    [9, 5, 6, 9, 9, 9, 9],
    [9, 9, 9, 9, 9, 9, 9],
  ];
  assertEquals([...grid.data], rows.flat());
  const big = imageGrid(images, { ...options, background: 9, scale: 2 });
  assertEquals([big.width, big.height], [14, 10]);
  const doubled = rows.flatMap((row) => {
    const wide = row.flatMap((value) => [value, value]);
    return [wide, wide];
  });
  assertEquals([...big.data], doubled.flat());
});

Deno.test("imageGrid() keeps colours together and chooses columns", () => {
  const images = Uint8Array.from({ length: 5 * 3 }, (_, i) => i + 1); // five 1x1 RGB images
  const grid = imageGrid(images, { count: 5, height: 1, width: 1, channels: 3, padding: 0 });
  assertEquals([grid.width, grid.height], [3, 2]);
  assertEquals([...grid.data], [...images, 0, 0, 0]);
});

Deno.test("imageGrid() refuses sizes that do not fit", () => {
  const options = { count: 2, height: 1, width: 1, channels: 1 };
  assertThrows(() => imageGrid(new Uint8Array(3), options), RangeError, "2 bytes, got 3");
  assertThrows(
    () => imageGrid(new Uint8Array(2), { ...options, scale: 0.5 }),
    RangeError,
    "scale must be an integer of at least 1, got 0.5",
  );
  assertThrows(() => imageGrid(new Uint8Array(0), { ...options, count: 0 }), RangeError, "count");
});
