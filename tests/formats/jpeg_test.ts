import { createHash } from "node:crypto";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { decodeJpeg, isJpeg } from "../../formats/jpeg.ts";
import { JPEG_FIXTURES, jpegBytes, type JpegFixture } from "./jpeg_fixtures.ts";

function named(name: string): Uint8Array<ArrayBuffer> {
  return jpegBytes(JPEG_FIXTURES.find((one) => one.name === name) as JpegFixture);
}

const PHOTO = named("photograph 4:2:0");

/** First byte of the content of the n-th segment with a marker. */
function segment(bytes: Uint8Array, marker: number, n = 0): number {
  for (let at = 2;; at += 2 + (bytes[at + 2]! << 8 | bytes[at + 3]!)) {
    if (bytes[at + 1] === marker && n-- === 0) return at + 4;
  }
}

function changed(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

for (const fixture of JPEG_FIXTURES) {
  const { name, width, height, channels, sha256, first } = fixture;
  Deno.test(`decodeJpeg() gives libjpeg's pixels, bit for bit: ${name}`, () => {
    const bytes = jpegBytes(fixture);
    assert(isJpeg(bytes));
    const picture = decodeJpeg(bytes);
    assertEquals([picture.width, picture.height, picture.channels], [width, height, channels]);
    assertEquals(picture.data.length, width * height * channels);
    assertEquals([...picture.data.subarray(0, channels)], [...first]);
    assertEquals(createHash("sha256").update(picture.data).digest("hex"), sha256);
  });
}

Deno.test("decodeJpeg() refuses every truncation that loses image data", () => {
  for (const { name } of JPEG_FIXTURES) {
    const bytes = named(name);
    for (let length = 0; length < bytes.length - 3; length += length < 600 ? 7 : 1) {
      assertThrows(
        () => decodeJpeg(bytes.subarray(0, length)),
        SyntaxError,
        "Cannot decode JPEG: ",
      );
    }
  }
});

Deno.test("decodeJpeg() reads a sequential picture without its end marker, no progressive one", () => {
  assertEquals(decodeJpeg(PHOTO.subarray(0, -2)), decodeJpeg(PHOTO));
  const progressive = named("progressive 4:2:0");
  assertThrows(() => decodeJpeg(progressive.subarray(0, -2)), SyntaxError, "must go on at byte");
});

Deno.test("decodeJpeg() passes over bytes between segments and fill bytes", () => {
  const at = segment(PHOTO, 0xc0) - 4;
  const parts = [PHOTO.subarray(0, at), Uint8Array.of(1, 2, 3, 0xff, 0xff), PHOTO.subarray(at)];
  const padded = new Uint8Array(PHOTO.length + 5);
  let to = 0;
  for (const part of parts) {
    padded.set(part, to);
    to += part.length;
  }
  assertEquals(decodeJpeg(padded), decodeJpeg(PHOTO));
});

Deno.test("decodeJpeg() refuses sizes that its bytes cannot justify, before it makes room", () => {
  const frame = segment(PHOTO, 0xc0);
  const sized = (height: number, width: number) =>
    changed(PHOTO, frame + 1, height >> 8, height & 255, width >> 8, width & 255);
  assertThrows(() => decodeJpeg(sized(0, 32)), SyntaxError, "must not be 0, got 32x0");
  assertThrows(() => decodeJpeg(sized(65535, 65535)), RangeError, "at most 67108864 pixels");
  assertThrows(() => decodeJpeg(sized(4000, 4000)), SyntaxError, "must come from at least");
  assertThrows(() => decodeJpeg(sized(64, 64)), SyntaxError, "where it ends");
});

Deno.test("decodeJpeg() names the kinds that it does not read", () => {
  const frame = segment(PHOTO, 0xc0);
  assertThrows(() => decodeJpeg(changed(PHOTO, frame - 3, 0xc9)), TypeError, "arithmetic-coded");
  assertThrows(() => decodeJpeg(changed(PHOTO, frame - 3, 0xc3)), TypeError, "lossless");
  assertThrows(() => decodeJpeg(changed(PHOTO, frame, 12)), TypeError, "got 12 bits");
  // Three horizontal samples beside two.
  const uneven = changed(changed(PHOTO, frame + 7, 0x31), frame + 10, 0x21);
  assertThrows(() => decodeJpeg(uneven), TypeError, "divide each other");
  assertThrows(() => decodeJpeg(Uint8Array.of(0x89, 0x50, 0x4e, 0x47)), SyntaxError, "FF D8 FF");
});

Deno.test("decodeJpeg() refuses scans that come twice, out of order or without their tables", () => {
  const scan = segment(PHOTO, 0xda);
  const end = PHOTO.length - 2;
  const twice = new Uint8Array(2 * end - scan + 4 + 2);
  twice.set(PHOTO.subarray(0, end));
  twice.set(PHOTO.subarray(scan - 4), end);
  assertThrows(() => decodeJpeg(twice), SyntaxError, "must bring new bits of component 1");
  assertThrows(() => decodeJpeg(changed(PHOTO, scan + 1, 9)), SyntaxError, "in the frame, got 9");
  assertThrows(() => decodeJpeg(changed(PHOTO, scan + 2, 0x33)), SyntaxError, "come before it");
  assertThrows(() => decodeJpeg(changed(PHOTO, scan + 3, 1)), SyntaxError, "each component once");
  const progressive = named("progressive 4:2:0");
  const first = segment(progressive, 0xda);
  assertThrows(() => decodeJpeg(changed(progressive, first + 9, 0x31)), SyntaxError, "band");
  assertThrows(
    () => decodeJpeg(changed(progressive, first + 9, 0x21)),
    SyntaxError,
    "out of order",
  );
  const restarts = named("4:2:2 with restarts");
  const marker = restarts.findIndex((byte, i) =>
    i > segment(restarts, 0xda) && byte === 0xff && restarts[i + 1] === 0xd0
  );
  assertThrows(() => decodeJpeg(changed(restarts, marker + 1, 0xd3)), SyntaxError, "marker 0 must");
});

Deno.test("decodeJpeg() refuses Huffman tables with more codes than bits", () => {
  const table = segment(PHOTO, 0xc4);
  assertThrows(() => decodeJpeg(changed(PHOTO, table + 1, 3)), SyntaxError, "Huffman");
});

Deno.test("decodeJpeg() ends in a picture or one clear line for every changed byte", () => {
  for (const name of ["photograph 4:2:0", "progressive 4:2:0", "cmyk", "4:2:2 with restarts"]) {
    const bytes = named(name);
    for (let at = 0; at < bytes.length; at++) {
      try {
        const { width, height, channels, data } = decodeJpeg(changed(bytes, at, bytes[at]! ^ 0x55));
        assertEquals(data.length, width * height * channels);
      } catch (error) {
        assert(
          error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError,
          String(error),
        );
        assert(/^Cannot decode JPEG: [^\n]+$/.test(error.message), `byte ${at}: ${error}`);
      }
    }
  }
});
