import { assertEquals, assertThrows } from "../../support/assert.ts";
import { decodePicture, fitPicture, type PictureShape } from "../../../data/pixels/pictures.ts";
import { encodePng } from "../../../formats/png.ts";
import { JPEG_FIXTURES, jpegBytes } from "../../formats/jpeg_fixtures.ts";
import { webpFile } from "../../formats/webp_fixtures.ts";
import { bytesOf } from "../fixtures.ts";

const SHAPE: PictureShape = { size: 2, channels: 3, crop: true, resize: "area" };

Deno.test("decodePicture() tells PNG, JPEG and WebP by the bytes, and names what is none of them", () => {
  const png = { width: 2, height: 3, channels: 3, data: bytesOf(18, 1) };
  assertEquals(decodePicture(encodePng(png)), png);
  const { width, height, channels } = decodePicture(jpegBytes(JPEG_FIXTURES[0]!));
  assertEquals([width, height, channels], [32, 32, 3]);
  assertEquals(decodePicture(webpFile("lossy")).width, 19);
  const text = new TextEncoder().encode("GIF89a");
  assertThrows(() => decodePicture(text), SyntaxError, "got a GIF picture");
  const beginnings: [bytes: string, part: string][] = [
    ["\0\0\0\x18ftypheic", "a HEIC picture"],
    ["\0\0\0\x18ftypavif", "an AVIF picture"],
    ["MM\0*\0\0", "a TIFF picture"],
    ["\n<!DOCTYPE html>", "a web page"],
    ["version https://git-lfs.github.com/spec/v1", "git lfs pull"],
    ["\0\0\0\0\0", "zeros alone"],
    ["RIFFwave", "got 52 49 46 46"],
    ["", "an empty file"],
  ];
  for (const [bytes, part] of beginnings) {
    const file = Uint8Array.from(bytes, (letter) => letter.charCodeAt(0));
    assertThrows(() => decodePicture(file), SyntaxError, part);
  }
  assertThrows(() => decodePicture(new Uint8Array(0)), SyntaxError, "got an empty file");
});

Deno.test("fitPicture() crops, or squeezes where it may not", () => {
  const wide = {
    width: 4,
    height: 2,
    channels: 1,
    data: Uint8Array.of(0, 10, 20, 30, 4, 14, 24, 34),
  };
  const grey: PictureShape = { ...SHAPE, channels: 1 };
  assertEquals([...fitPicture(wide, grey)], [10, 20, 14, 24]);
  assertEquals([...fitPicture(wide, { ...grey, crop: false })], [5, 25, 9, 29]);
  assertEquals([...fitPicture(wide, { ...grey, size: 1 })], [17]);
});

Deno.test("fitPicture() makes grey of RGB as Pillow does, RGB of grey, and drops alpha", () => {
  // The primaries, and a colour: Pillow 12's convert("L").
  const data = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 100, 50);
  const rgb = { width: 2, height: 2, channels: 3, data };
  assertEquals([...fitPicture(rgb, { ...SHAPE, channels: 1 })], [76, 150, 29, 124]);
  assertEquals([...fitPicture(rgb, SHAPE)], [...data]);
  const grey = { width: 1, height: 1, channels: 2, data: Uint8Array.of(7, 99) };
  assertEquals([...fitPicture(grey, { ...SHAPE, size: 1 })], [7, 7, 7]);
  assertEquals([...fitPicture(grey, { ...SHAPE, size: 1, channels: 1 })], [7]);
  const rgba = { width: 1, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 0) };
  assertEquals([...fitPicture(rgba, { ...SHAPE, size: 1 })], [1, 2, 3]);
});

Deno.test("fitPicture() refuses sizes that the way of resizing cannot reach", () => {
  const small = { width: 2, height: 2, channels: 1, data: bytesOf(4, 1) };
  assertThrows(() => fitPicture(small, { ...SHAPE, size: 4 }), RangeError, "data.resize=bicubic");
  assertEquals(fitPicture(small, { ...SHAPE, size: 4, resize: "bicubic" }).length, 48);
  assertEquals(fitPicture(small, { ...SHAPE, size: 4, resize: "pad" }).length, 48);
});
