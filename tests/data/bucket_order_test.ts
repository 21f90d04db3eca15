import { BucketOrder } from "../../data/bucket_order.ts";
import { isFlipped } from "../../data/order.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

/** Image i is in bucket 0, 1 or 2: of 23, 9 and 2 images. */
const OF = Uint8Array.from(
  { length: 34 },
  (_, i) => i % 17 === 5 ? 2 : i % 4 === 1 && i !== 1 && i !== 33 ? 1 : 0,
);
const COUNTS = [0, 1, 2].map((bucket) => OF.filter((own) => own === bucket).length);

const order = (seed = 3, batchSize = 4, flip = false) =>
  new BucketOrder(OF, 3, { seed, batchSize, flip });

Deno.test("BucketOrder has images of one bucket in each batch, all of them equally often", () => {
  const all = order(), times = new Uint32Array(OF.length), batches = [0, 0, 0];
  const steps = 8500;
  for (let step = 0; step < steps; step++) {
    const bucket = all.bucketAt(step);
    batches[bucket]!++;
    for (const index of all.batchAt(step).indices) {
      assertEquals(OF[index], bucket);
      times[index]!++;
    }
  }
  // In proportion: a bucket is at most an epoch's batches ahead or behind.
  for (const [bucket, count] of COUNTS.entries()) {
    const expected = steps * count / OF.length;
    assert(Math.abs(batches[bucket]! - expected) <= count / 4 + 2, `${batches}`);
  }
  // An image is seen once each time that its bucket is gone through.
  for (const bucket of [0, 1, 2]) {
    const own = times.filter((_, i) => OF[i] === bucket);
    assert(Math.max(...own) - Math.min(...own) <= 1, `${own}`);
  }
});

Deno.test("BucketOrder depends on seed and step alone, whatever was asked before", () => {
  const all = order(), batches = Array.from({ length: 60 }, (_, step) => all.batchAt(step));
  const back = order();
  for (const step of [59, 0, 31, 32, 30, 7, 58]) {
    assertEquals(back.batchAt(step).indices, batches[step]!.indices);
  }
  const far = order().batchAt(123_456);
  const walked = order();
  for (let step = 123_000; step < 123_456; step++) walked.batchAt(step);
  assertEquals(walked.batchAt(123_456).indices, far.indices);
  const other = order(4);
  assert(
    batches.some(({ indices }, step) => indices.join() !== other.batchAt(step).indices.join()),
  );
});

Deno.test("BucketOrder draws buckets in random order, and none is empty for long", () => {
  const all = order(), buckets = Array.from({ length: 400 }, (_, step) => all.bucketAt(step));
  const runs = buckets.filter((bucket, i) => bucket !== buckets[i - 1]).length;
  assert(runs > 100, `${runs} runs`);
  // Batches larger than the smallest bucket, or than all images.
  for (const batchSize of [8, 50]) {
    const large = order(3, batchSize);
    const seen = new Set<number>();
    for (let step = 0; step < 60; step++) {
      assertEquals(large.batchAt(step).indices.length, batchSize);
      seen.add(large.bucketAt(step));
    }
    assertEquals(seen.size, 3);
  }
});

Deno.test("BucketOrder mirrors an image by the times that its bucket was gone through", () => {
  const all = order(3, 4, true), times = new Uint32Array(OF.length);
  for (let step = 0; step < 100; step++) {
    const { indices, flips } = all.batchAt(step);
    for (const [i, index] of indices.entries()) {
      assertEquals(flips[i], Number(isFlipped(3, times[index]!, index)));
      times[index]!++;
    }
  }
  const none = new BucketOrder(OF, 3, {
    ...{ seed: 3, batchSize: 4, flip: true, mirrorable: new Uint8Array(OF.length) },
  });
  assert(none.batchAt(5).flips.every((flip) => flip === 0));
  assertThrows(() => new BucketOrder(new Uint8Array(0), 3, { seed: 0, batchSize: 1, flip: false }));
  assertThrows(() => order().batchAt(-1), RangeError, "the step must be");
});
