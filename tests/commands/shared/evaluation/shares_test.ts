import { sharedExtractor, sharedSource } from "../../../../commands/shared/evaluation/shares.ts";
import type { Pixels } from "../../../../data/dataset.ts";
import { assertEquals } from "../../../support/assert.ts";
import { testGpu } from "../../../support/gpu.ts";
import { together } from "../../../support/ranks.ts";

const SIZE = { height: 1, width: 2, channels: 1 };

function pixels(first: number, count: number): Pixels {
  const images = Uint8Array.from({ length: 2 * count }, (_, i) => (2 * first + i) % 256);
  return { images, count, ...SIZE };
}

Deno.test("sharedSource() gives each process all images, each drawn once by one of them", async () => {
  const drawn: number[] = [];
  const source = {
    ...{ ...SIZE, name: "drawn", fingerprint: "", count: Infinity },
    read(first: number, count: number) {
      for (let i = 0; i < count; i++) drawn.push(first + i);
      return Promise.resolve(pixels(first, count));
    },
  };
  const ranks = together(await testGpu(), 3);
  const read = await Promise.all(ranks.map(async (rank) => {
    const { read } = sharedSource(source, rank, 300);
    const images: number[] = [];
    for (let first = 0; first < 300; first += 50) images.push(...(await read(first, 50)).images);
    return images;
  }));
  for (const images of read) assertEquals(images, [...pixels(0, 300).images]);
  // Reads that end within a block begin another.
  assertEquals(new Set(drawn).size, 300);
});

Deno.test("sharedExtractor() judges a share in each process and gives the features of all", async () => {
  let judged = 0;
  const extractor = {
    ...{ name: "sums", dimension: 1, classes: 2, destroy: () => {} },
    extract({ images, count }: Pixels) {
      judged += count;
      const sums = Float32Array.from(
        { length: count },
        (_, i) => images[2 * i]! + images[2 * i + 1]!,
      );
      return Promise.resolve({
        features: sums,
        probabilities: new Float32Array(2 * count).fill(0.5),
      });
    },
  };
  const given = pixels(3, 5), expected = await extractor.extract(given);
  judged = 0;
  const ranks = together(await testGpu(), 2);
  const found = await Promise.all(
    ranks.map((rank) => sharedExtractor(extractor, rank)!.extract(given)),
  );
  assertEquals(found, [expected, expected]);
  assertEquals(judged, 5);
});
