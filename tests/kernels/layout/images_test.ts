import { FLIP_BIT, gatherImages, packBytes } from "../../../kernels/layout/images.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

const byteOf = (i: number) => (i * 89 + 7) % 256;

for (
  const [height, width, channels] of [[1, 1, 1], [3, 5, 1], [3, 3, 3], [2, 4, 3], [
    28,
    28,
    1,
  ]] as const
) {
  for (const split of [false, true]) {
    Deno.test(`gatherImages() gathers and flips [${height}, ${width}, ${channels}], ${split ? "two tensors" : "one tensor"}`, async () => {
      const gpu = await testGpu();
      const length = height * width * channels, count = 5;
      const bytes = Uint8Array.from({ length: count * length }, (_, i) => byteOf(i));
      const chunk = (from: number, to: number) => {
        const words = packBytes(bytes.slice(from * length, to * length));
        return upload(gpu, [words.length], words, "u32");
      };
      const images = split ? [chunk(0, 3), chunk(3, 5)] : chunk(0, 5);
      const indices = [4, 0, 2 + FLIP_BIT, 3 + FLIP_BIT, 1, 4 + FLIP_BIT];
      const { y } = await compute(gpu, (capture) => ({
        y: gatherImages(capture, images, upload(gpu, [6], indices, "u32"), {
          height,
          width,
          channels,
          ...(split ? { imagesPerChunk: 3 } : {}),
        }),
      }));
      const expected: number[] = [];
      for (const index of indices) {
        const flip = index >= FLIP_BIT, image = index % FLIP_BIT;
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            for (let c = 0; c < channels; c++) {
              const x = flip ? width - 1 - column : column;
              const byte = byteOf(((image * height + row) * width + x) * channels + c);
              expected.push((byte / 255 - 0.5) / 0.5);
            }
          }
        }
      }
      assertAllClose(y, expected, { rtol: 0, atol: 3e-7 });
    });
  }
}

Deno.test("gatherImages() takes images from the beginning of longer rows", async () => {
  const gpu = await testGpu();
  // Rows of 7 bytes begin anywhere in a word.
  const bytes = Uint8Array.from({ length: 35 }, (_, i) => byteOf(i));
  const words = packBytes(bytes), indices = [4, 0, 3 + FLIP_BIT];
  const images = upload(gpu, [words.length], words, "u32");
  const at = upload(gpu, [3], indices, "u32");
  const shape = { height: 2, width: 2, channels: 1 };
  const { y } = await compute(gpu, (capture) => ({
    y: gatherImages(capture, images, at, { ...shape, rowBytes: 7 }),
  }));
  const places = [28, 29, 30, 31, 0, 1, 2, 3, 22, 21, 24, 23];
  assertAllClose(y, places.map((i) => (byteOf(i) / 255 - 0.5) / 0.5), { rtol: 0, atol: 3e-7 });
  await compute(gpu, (capture) => {
    const short = () => gatherImages(capture, images, at, { ...shape, rowBytes: 3 });
    assertThrows(short, RangeError, "rowBytes must be at least 4");
    return { y: gatherImages(capture, images, at, shape) };
  });
});

for (const [height, width, channels] of [[2, 3, 1], [3, 4, 3], [1, 1, 3]] as const) {
  Deno.test(`gatherImages() cuts [${height}, ${width}, ${channels}] out of larger images, and flips what it cut`, async () => {
    const gpu = await testGpu();
    // By image: sides, and the corner of the crop; rows are longer than any image.
    const sides = [[height, width + 3], [height + 2, width], [height, width], [height + 1, width]];
    const corners = [[0, 2], [1, 0], [0, 0], [1, 0]];
    const rowBytes = (height + 2) * (width + 3) * channels + 1;
    const bytes = Uint8Array.from({ length: 4 * rowBytes }, (_, i) => byteOf(i));
    const words = packBytes(bytes), order = [3, 0 + FLIP_BIT, 1, 0, 2 + FLIP_BIT];
    const lines = order.map((index) => sides[index % FLIP_BIT]![1]! * channels);
    const crops = order.flatMap((index, i) => {
      const [top = 0, left = 0] = corners[index % FLIP_BIT]!;
      return [lines[i]!, top * lines[i]! + left * channels];
    });
    const { y } = await compute(gpu, (capture) => ({
      y: gatherImages(
        capture,
        upload(gpu, [words.length], words, "u32"),
        upload(gpu, [order.length], order, "u32"),
        {
          ...{ height, width, channels, rowBytes },
          crops: upload(gpu, [order.length, 2], crops, "u32"),
        },
      ),
    }));
    const expected = order.flatMap((index, i) => {
      const image = index % FLIP_BIT, [top = 0, left = 0] = corners[image]!;
      return Array.from({ length: height * width * channels }, (_, k) => {
        const c = k % channels, column = Math.floor(k / channels) % width;
        const row = Math.floor(k / channels / width);
        const x = left + (index >= FLIP_BIT ? width - 1 - column : column);
        return (byteOf(image * rowBytes + (top + row) * lines[i]! + x * channels + c) / 255 - 0.5) /
          0.5;
      });
    });
    assertAllClose(y, expected, { rtol: 0, atol: 3e-7 });
  });
}

Deno.test("gatherImages() maps 0 to -1 and 255 to 1 exactly", async () => {
  const gpu = await testGpu();
  const { y } = await compute(gpu, (capture) => ({
    y: gatherImages(
      capture,
      upload(gpu, [1], packBytes(Uint8Array.of(0, 255)), "u32"),
      upload(gpu, [1], [0], "u32"),
      { height: 1, width: 2, channels: 1 },
    ),
  }));
  assertEquals([...y], [-1, 1]);
});

Deno.test("packBytes() puts the first byte lowest and fills up with zeros", () => {
  assertEquals([...packBytes(Uint8Array.of(1, 2, 3, 255, 9))], [0xff030201, 9]);
});

Deno.test("gatherImages() refuses tensors shorter than their images", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const words = upload(gpu, [4], [0, 0, 0, 0], "u32");
    const indices = upload(gpu, [1], [0], "u32");
    const shape = { height: 2, width: 2, channels: 1 };
    assertThrows(
      () => gatherImages(capture, words, indices, { ...shape, channels: 5 }),
      RangeError,
      "at least 1 images of 20 bytes, got 16 bytes",
    );
    assertThrows(
      () => gatherImages(capture, [words, words], indices, shape),
      RangeError,
      "imagesPerChunk",
    );
    assertThrows(
      () => gatherImages(capture, [words, words], indices, { ...shape, imagesPerChunk: 5 }),
      RangeError,
      "tensor 0 must hold at least 5",
    );
    return { y: gatherImages(capture, words, indices, shape) };
  });
});
