import { MAX_BUCKETS, nearestBucket } from "../../data/buckets.ts";
import {
  middleCorner,
  randomCorner,
  storedSizes,
  uncroppedSizes,
} from "../../data/random_crops.ts";
import { assert, assertEquals } from "../support/assert.ts";

const sizes = (size: number | [number, number], bucketRatio = 2) =>
  uncroppedSizes({ size, crop: "random", bucketRatio })!;

Deno.test("uncroppedSizes() has data.size and all that are longer one way, up to the ratio", () => {
  assertEquals(sizes(4), [[4, 4], [5, 4], [6, 4], [7, 4], [8, 4], [4, 5], [4, 6], [4, 7], [4, 8]]);
  assertEquals(sizes([4, 6], 1.5), [[4, 6], [5, 6], [6, 6], [4, 7], [4, 8], [4, 9]]);
  assertEquals(sizes(4, 1), [[4, 4]]);
  for (const [size, ratio] of [[256, 2], [512, 4], [64, 3]] as const) {
    const all = sizes(size, ratio);
    assert(all.length <= MAX_BUCKETS, `${all.length}`);
    assertEquals(new Set(all.map(String)).size, all.length);
    const lengths = all.map(([h, w]) => Math.max(h, w));
    assertEquals([Math.min(...lengths), Math.max(...lengths)], [size, size * ratio]);
  }
});

Deno.test("uncroppedSizes() has one of nearly every shape within the ratio", () => {
  const all = sizes(256);
  for (let width = 1000; width <= 2000; width += 13) {
    const [h, w] = all[nearestBucket(1000, width, all)]!;
    assert(Math.abs(Math.log(w / h / (width / 1000))) < 0.005, `${width}: ${h}x${w}`);
  }
});

Deno.test("uncroppedSizes() is null where crops are not random, and buckets come first", () => {
  for (const crop of [true, false]) {
    assertEquals(uncroppedSizes({ size: 8, crop, bucketRatio: 2 }), null);
  }
  const options = { size: 8, bucketStep: 8, bucketRatio: 2 };
  assertEquals(storedSizes({ ...options, buckets: [[8, 8]], crop: true }), [[8, 8]]);
  assertEquals(storedSizes({ ...options, buckets: null, crop: true }), null);
  assertEquals(storedSizes({ ...options, buckets: null, crop: "random" }), sizes(8));
});

Deno.test("randomCorner() takes every place that fits about as often, by seed, step and sample", () => {
  const counts = new Map<string, number>(), draws = 6000;
  for (let step = 0; step < draws; step++) {
    const corner = randomCorner([5, 6], [4, 4], { seed: 3, step, sample: step % 7 });
    counts.set(corner.join(), (counts.get(corner.join()) ?? 0) + 1);
  }
  assertEquals([...counts.keys()].sort(), ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2"]);
  // Five standard deviations of a binomial number.
  const expected = draws / 6, most = 5 * Math.sqrt(expected * 5 / 6);
  for (const [corner, count] of counts) {
    assert(Math.abs(count - expected) < most, `${corner}: ${count}`);
  }
  const at = (seed: number, step: number, sample: number) =>
    randomCorner([400, 64], [64, 64], { seed, step, sample }).join();
  assertEquals(at(1, 2, 3), at(1, 2, 3));
  assertEquals(new Set([at(1, 2, 3), at(2, 2, 3), at(1, 3, 3), at(1, 2, 4)]).size, 4);
  assertEquals(randomCorner([8, 8], [8, 8], { seed: 0, step: 0, sample: 0 }), [0, 0]);
  assertEquals(middleCorner([9, 8], [4, 8]), [2, 0]);
});
