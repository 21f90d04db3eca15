import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import {
  areaDown,
  cropToShape,
  fitToSize,
  padUp,
  resizeImages,
} from "../../../data/pixels/resize.ts";

const grey = (height: number, width: number, values: number[], count = 1) => ({
  count,
  height,
  width,
  channels: 1,
  images: new Uint8Array(values),
});

Deno.test("areaDown() averages blocks, halves rounded up", () => {
  const small = areaDown(grey(2, 4, [0, 1, 10, 20, 0, 1, 30, 40]), 1);
  // A square comes out: (0 + 1 + 10 + 20 + 0 + 1 + 30 + 40) / 8 = 12.75.
  assertEquals([...small.images], [13]);
  const half = areaDown(
    grey(4, 4, [0, 1, 10, 20, 0, 1, 30, 40, 255, 255, 7, 7, 255, 254, 7, 6]),
    2,
  );
  // 0.5, 25, 254.75, 6.75.
  assertEquals([...half.images], [1, 25, 255, 7]);
  assertEquals([half.height, half.width, half.count], [2, 2, 1]);
});

Deno.test("areaDown() weighs pixels by their overlap when the ratio is not an integer", () => {
  // 3 -> 2: outputs cover 1.5 pixels an axis, weights (1, 1/2) and (1/2, 1), 2.25 in all.
  const image = grey(3, 3, [0, 90, 180, 30, 60, 120, 240, 150, 210]);
  // (0 + 45 + 15 + 15) / 2.25 = 33.33; (45 + 180 + 15 + 60) / 2.25 = 133.33;
  // (15 + 15 + 240 + 75) / 2.25 = 153.33; (15 + 60 + 75 + 210) / 2.25 = 160.
  assertEquals([...areaDown(image, 2).images], [33, 133, 153, 160]);
});

Deno.test("areaDown() keeps a flat image flat at every size and images apart", () => {
  const set = {
    count: 2,
    height: 28,
    width: 28,
    channels: 3,
    images: new Uint8Array(2 * 28 * 28 * 3),
  };
  set.images.fill(201, 28 * 28 * 3);
  for (let p = 0; p < 28 * 28; p++) set.images.set([5, 77, 254], p * 3);
  for (let size = 1; size <= 28; size++) {
    const { images } = areaDown(set, size);
    const one = size * size * 3;
    assertEquals(images.length, 2 * one);
    assert(images.every((v, i) => v === (i >= one ? 201 : [5, 77, 254][i % 3])), `size ${size}`);
  }
});

Deno.test("areaDown() agrees with a direct mean over sub-pixels", () => {
  const from = 7, to = 3;
  const image = grey(from, from, Array.from({ length: 49 }, (_, i) => (i * 89) % 256));
  const expected = [];
  for (let y = 0; y < to; y++) {
    for (let x = 0; x < to; x++) {
      let sum = 0;
      // Every sub-pixel of side 1/to belongs to one input pixel.
      for (let v = y * from; v < (y + 1) * from; v++) {
        for (let u = x * from; u < (x + 1) * from; u++) {
          sum += image.images[Math.floor(v / to) * from + Math.floor(u / to)]!;
        }
      }
      expected.push(Math.floor(sum / (from * from) + 0.5));
    }
  }
  assertEquals([...areaDown(image, to).images], expected);
});

Deno.test("padUp() centres images and fills the border", () => {
  const padded = padUp(grey(2, 2, [1, 2, 3, 4]), 5, 9);
  assertEquals([...padded.images], [
    ...[9, 9, 9, 9, 9],
    ...[9, 1, 2, 9, 9],
    ...[9, 3, 4, 9, 9],
    ...[9, 9, 9, 9, 9],
    ...[9, 9, 9, 9, 9],
  ]);
  const two = padUp({ ...grey(1, 1, [1, 2, 3, 4, 5, 6], 2), channels: 3 }, 3);
  const place = (rgb: number[]) => [...new Array(12).fill(0), ...rgb, ...new Array(12).fill(0)];
  assertEquals([...two.images], [...place([1, 2, 3]), ...place([4, 5, 6])]);
});

Deno.test("resizeImages() leaves the native size alone and names the way that would work", () => {
  const image = grey(4, 4, new Array(16).fill(1));
  assert(resizeImages(image, 4, "area") === image);
  assert(resizeImages(image, 4, "pad") === image);
  assertEquals(resizeImages(image, 2, "area").images.length, 4);
  assertEquals(resizeImages(image, 6, "pad").images.length, 36);
  assertThrows(
    () => resizeImages(image, 6, "area"),
    RangeError,
    "at least 6x6, the size asked for, got 4x4; data.resize=bicubic and pad",
  );
  assertThrows(
    () => resizeImages(image, 2, "pad"),
    RangeError,
    "at most 2x2, the size asked for, got 4x4; data.resize=area and bicubic",
  );
  assertThrows(() => resizeImages(image, 1.5, "area"), RangeError, "integer");
  for (const filter of ["bilinear", "bicubic"] as const) {
    assert(resizeImages(image, 4, filter) === image);
    for (const size of [2, 6]) {
      assertEquals([...resizeImages(image, size, filter).images], new Array(size ** 2).fill(1));
    }
  }
});

Deno.test("cropToShape() keeps the middle of wide and high images", () => {
  const wide = grey(2, 5, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20], 2);
  const cropped = cropToShape(wide, 1);
  assertEquals([cropped.height, cropped.width], [2, 2]);
  assertEquals([...cropped.images], [2, 3, 7, 8, 2, 3, 7, 8]);
  const high = {
    ...wide,
    height: 10,
    width: 1,
    images: Uint8Array.from({ length: 20 }, (_, i) => i),
  };
  assertEquals([...cropToShape(high, 1).images], [4, 14]);
  const colours = { ...high, count: 1, channels: 2 };
  assertEquals([...cropToShape(colours, 1).images], [8, 9]);
  const square = grey(2, 2, [1, 2, 3, 4]);
  assert(cropToShape(square, 1) === square);
});

Deno.test("cropToShape() takes the largest middle of the asked shape", () => {
  const image = grey(4, 6, Array.from({ length: 24 }, (_, i) => i));
  const shapeOf = (size: [number, number]) => {
    const { height, width } = cropToShape(image, size);
    return [height, width];
  };
  assertEquals(shapeOf([2, 1]), [4, 2]);
  assertEquals(shapeOf([1, 3]), [2, 6]);
  assertEquals(shapeOf([8, 12]), [4, 6]);
  assertEquals(shapeOf([100, 1]), [4, 1]);
  assertEquals([...cropToShape(image, [2, 1]).images], [2, 3, 8, 9, 14, 15, 20, 21]);
  assertEquals([...cropToShape(image, [1, 3]).images], [
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
  ]);
  assert(cropToShape(image, [2, 3]) === image);
});

Deno.test("resizeImages() and fitToSize() reach rectangles by every way", () => {
  const image = grey(4, 4, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  const down = resizeImages(image, [1, 4], "area");
  assertEquals([down.height, down.width, ...down.images], [1, 4, 7, 8, 9, 10]);
  const across = resizeImages(image, [4, 2], "area");
  assertEquals([...across.images], [2, 4, 6, 8, 10, 12, 14, 16]);
  const padded = resizeImages(grey(1, 2, [7, 9]), [3, 4], "pad");
  assertEquals([padded.height, padded.width], [3, 4]);
  assertEquals([...padded.images], [0, 0, 0, 0, 0, 7, 9, 0, 0, 0, 0, 0]);
  for (const filter of ["bilinear", "bicubic"] as const) {
    const { height, width } = resizeImages(image, [6, 3], filter);
    assertEquals([height, width], [6, 3]);
  }
  const cropped = fitToSize(image, [2, 4], { crop: true, resize: "area" });
  assertEquals([...cropped.images], [5, 6, 7, 8, 9, 10, 11, 12]);
  const squeezed = fitToSize(image, [2, 4], { crop: false, resize: "area" });
  assertEquals([...squeezed.images], [3, 4, 5, 6, 11, 12, 13, 14]);
  assertThrows(
    () => resizeImages(image, [5, 4], "area"),
    RangeError,
    "at least 5x4, the size asked for, got 4x4",
  );
  assertThrows(
    () => resizeImages(image, [4, 3], "pad"),
    RangeError,
    "at most 4x3, the size asked for, got 4x4",
  );
});
