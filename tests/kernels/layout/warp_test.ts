import { marginsOf } from "../../../data/augmentation/draw.ts";
import { product, rotation, scaling, translation } from "../../../data/augmentation/matrices.ts";
import type { Matrix } from "../../../data/augmentation/matrices.ts";
import { Capture } from "../../../device/capture.ts";
import { mapNumbers, WARP_REACH, warpImages } from "../../../kernels/layout/warp.ts";
import { assert, assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

const H = [
  ...[0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633],
  ...[0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252],
  ...[-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148],
];

type Picture = number[][];

const transpose = (p: Picture) => p[0]!.map((_, x) => p.map((row) => row[x]!));
const bothSides = (p: Picture, of: (row: number[]) => number[]) =>
  transpose(transpose(p.map(of)).map(of));

/** A list with zeros between its elements, convolved: PyTorch's conv of padding 6. */
function doubled(row: number[]): number[] {
  const stuffed = row.flatMap((value) => [value, 0]).slice(0, -1);
  const filter = H.toReversed();
  return Array.from(
    { length: 2 * row.length },
    (_, i) => filter.reduce((sum, tap, k) => sum + tap * (stuffed[i - 6 + k] ?? 0), 0),
  );
}

/** Every other element of a convolution of padding 5, without three at the ends. */
const halved = (row: number[]) =>
  Array.from(
    { length: row.length / 2 },
    (_, i) => H.reduce((sum, tap, k) => sum + tap * (row[2 * i - 5 + k] ?? 0), 0),
  ).slice(3, -3);

/** The definition, with every picture on the way in full. */
function warped(picture: Picture, map: Matrix, margins: ReturnType<typeof marginsOf>): Picture {
  const height = picture.length, width = picture[0]!.length;
  const { left, right, top, bottom } = margins;
  const at = (i: number, side: number) => i < 0 ? -i : i >= side ? 2 * side - 2 - i : i;
  const padded = Array.from(
    { length: top + height + bottom },
    (_, y) =>
      Array.from(
        { length: left + width + right },
        (_, x) => picture[at(y - top, height)]![at(x - left, width)]!,
      ),
  );
  const large = bothSides(padded, doubled);
  const sample = (x: number, y: number) => {
    const x0 = Math.floor(x), y0 = Math.floor(y), fx = x - x0, fy = y - y0;
    const of = (dx: number, dy: number) => large[y0 + dy]?.[x0 + dx] ?? 0;
    return (1 - fy) * ((1 - fx) * of(0, 0) + fx * of(1, 0)) +
      fy * ((1 - fx) * of(0, 1) + fx * of(1, 1));
  };
  // From doubled pixels of the result to those of the padded image, both from the upper left corner.
  const full = product(
    translation(large[0]!.length / 2 - 0.5, large.length / 2 - 0.5),
    translation(-0.5, -0.5),
    scaling(2, 2),
    translation((left - right) / 2, (top - bottom) / 2),
    map,
    scaling(0.5, 0.5),
    translation(0.5, 0.5),
    translation(0.5 - (width + 6), 0.5 - (height + 6)),
  );
  const sampled = Array.from(
    { length: 2 * (height + 6) },
    (_, y) =>
      Array.from({ length: 2 * (width + 6) }, (_, x) => {
        const [px, py] = full.map((row) => row[0]! * x + row[1]! * y + row[2]!);
        return sample(px!, py!);
      }),
  );
  return bothSides(sampled, halved);
}

const MAPS: readonly Matrix[] = [
  product(rotation(0.7), translation(2.3, -1.1)),
  // Farther than the image goes on: black beyond.
  product(scaling(3.1, 2.2), rotation(-2)),
  product(rotation(0.4), scaling(0.6, 1.7), rotation(-0.4)),
  translation(40, 5),
];

/** Pictures in [-1, 1] without a pattern. */
const pictureOf = (n: number, height: number, width: number): Picture =>
  Array.from(
    { length: height },
    (_, y) => Array.from({ length: width }, (_, x) => Math.sin(12.9898 * x + 78.233 * y + n)),
  );

for (const [height, width] of [[9, 9], [7, 12]] as const) {
  Deno.test(`warpImages() doubles, samples and halves ${height} x ${width} pixels as the definition says`, async () => {
    const gpu = await testGpu(), sides = { height, width };
    const pictures = MAPS.map((_, n) => [0, 10].map((c) => pictureOf(n + c, height, width)));
    const margins = MAPS.map((map) => marginsOf([map], sides, WARP_REACH));
    const x = upload(
      gpu,
      [MAPS.length, height, width, 2],
      pictures.flatMap(([a, b]) => a!.flat().flatMap((value, i) => [value, b!.flat()[i]!])),
    );
    const maps = upload(
      gpu,
      [MAPS.length, 10],
      MAPS.flatMap((map, n) => mapNumbers(map, margins[n]!)),
    );
    const { y } = await compute(gpu, (capture) => ({ y: warpImages(capture, x, maps) }));
    const expected = pictures.flatMap((pair, n) => {
      const [a, b] = pair.map((picture) => warped(picture, MAPS[n]!, margins[n]!).flat());
      return a!.flatMap((value, i) => [value, b![i]!]);
    });
    assert(expected.some((value) => Math.abs(value) > 0.5));
    // A place near 60 is known to 4e-6, and a doubled pixel's neighbour differs by up to 2.
    assertAllClose([...y], expected, { rtol: 0, atol: 3e-5 });
  });
}

Deno.test("warpImages() gives the image back under the map that changes nothing", async () => {
  const gpu = await testGpu(), sides = { height: 6, width: 5 };
  const picture = pictureOf(3, 6, 5).flat();
  const still = translation(0, 0);
  const x = upload(gpu, [1, 6, 5, 1], picture);
  const numbers = mapNumbers(still, marginsOf([still], sides, WARP_REACH));
  const maps = upload(gpu, [1, 10], numbers);
  const { y } = await compute(gpu, (capture) => ({ y: warpImages(capture, x, maps) }));
  assertAllClose([...y], picture, { rtol: 0, atol: 1e-6 });
});

Deno.test("warpImages() refuses maps of other images", async () => {
  const capture = new Capture(await testGpu(), "test");
  const x = capture.transient([2, 4, 4, 1], "x"), maps = capture.transient([3, 10], "maps");
  assertThrows(() => warpImages(capture, x, maps), RangeError, "must come with [N, 10] numbers");
});
