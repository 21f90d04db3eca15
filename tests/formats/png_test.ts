import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { decodePng, encodePng, imageGrid } from "../../formats/png.ts";

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

Deno.test("decodePng() refuses kinds that it does not read", () => {
  const bytes = encodePng(picture(5, 7, 3));
  assertThrows(() => decodePng(withHeaderByte(bytes, 25, 3)), TypeError, "colour type 3");
  assertThrows(() => decodePng(withHeaderByte(bytes, 24, 16)), TypeError, "16 bits");
  assertThrows(() => decodePng(new Uint8Array(40)), SyntaxError, "signature");
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
    assert(error instanceof SyntaxError || error instanceof TypeError, `byte ${at}: ${error}`);
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
