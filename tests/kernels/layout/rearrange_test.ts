import { rearrangeImages } from "../../../kernels/layout/rearrange.ts";
import { Capture } from "../../../device/capture.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

/** Rows of pixels. */
type Picture = number[][];

const mirrorRows = (p: Picture) => p.toReversed();
const mirrorColumns = (p: Picture) => p.map((row) => row.toReversed());
const transpose = (p: Picture) => p[0]!.map((_, x) => p.map((row) => row[x]!));

/** Values before, in and behind a list, reflected at its ends. */
function shifted<T>(list: T[], by: number): T[] {
  const around = [...list.slice(1).toReversed(), ...list, ...list.slice(0, -1).toReversed()];
  return list.map((_, i) => around[i - by + list.length - 1]!);
}

/** One step after the other. */
function rearranged(picture: Picture, [mx, my, swap, right, up]: readonly number[]): Picture {
  let p = mx ? mirrorColumns(picture) : picture;
  if (my) p = mirrorRows(p);
  if (swap) p = transpose(p);
  p = p.map((row) => shifted(row, right!));
  return shifted(p, -up!);
}

const CASES = [
  { sides: [4, 4], moves: [[1, 0, 1, 2, -1], [0, 1, 1, 0, 3], [1, 1, 0, -3, 1], [0, 0, 0, 0, 0]] },
  { sides: [3, 5], moves: [[0, 1, 0, -4, 2], [1, 0, 0, 1, -2]] },
] as const;

Deno.test("rearrangeImages() mirrors, swaps axes and shifts into the reflection, image by image", async () => {
  const gpu = await testGpu();
  for (const { sides: [height, width], moves } of CASES) {
    const pictures = moves.map((_, n) =>
      Array.from(
        { length: height },
        (_, y) => Array.from({ length: width }, (_, x) => 100 * n + 10 * y + x),
      )
    );
    // Two channels: the second is the first's negative.
    const channels = (p: Picture) => p.flat().flatMap((value) => [value, -value]);
    const x = upload(gpu, [moves.length, height, width, 2], pictures.flatMap(channels));
    const given = upload(gpu, [moves.length, 5], moves.flat());
    const { y } = await compute(gpu, (capture) => ({ y: rearrangeImages(capture, x, given) }));
    const expected = pictures.flatMap((picture, n) => channels(rearranged(picture, moves[n]!)));
    assertEquals([...y].map((value) => value + 0), expected.map((value) => value + 0));
  }
});

Deno.test("rearrangeImages() refuses sides that can't be reflected and moves of other images", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const rearrange = (shape: number[], moves: number) =>
    rearrangeImages(capture, capture.transient(shape, "x"), capture.transient([moves, 5], "moves"));
  assertThrows(() => rearrange([2, 1, 4, 1], 2), RangeError, "sides must be at least 2");
  assertThrows(() => rearrange([2, 4, 4, 1], 3), RangeError, "must come with [N, 5] numbers");
});
