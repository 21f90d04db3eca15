import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { batchAt, batchesPerEpoch, epochOrder, isFlipped } from "../../data/order.ts";

Deno.test("epochOrder() is a permutation that depends on seed and epoch alone", () => {
  const order = epochOrder(1000, 5, 3);
  assertEquals([...order].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i));
  assertEquals(epochOrder(1000, 5, 3), order);
  for (
    const other of [
      epochOrder(1000, 5, 4),
      epochOrder(1000, 6, 3),
      epochOrder(1000, 5 + 2 ** 32, 3),
    ]
  ) {
    const same = order.filter((value, i) => value === other[i]).length;
    assert(same < 10, `${same} places agree`); // about 1 by chance
  }
});

Deno.test("epochOrder() sends every image to every place equally often", () => {
  const n = 6, rounds = 6000;
  const counts = new Float64Array(n * n);
  for (let epoch = 0; epoch < rounds; epoch++) {
    epochOrder(n, 1, epoch).forEach((image, place) => counts[image * n + place]!++);
  }
  // Each cell is binomial with mean 1000 and deviation 29; five deviations.
  for (const count of counts) assert(Math.abs(count - rounds / n) < 145, `${[...counts]}`);
});

Deno.test("batchAt() covers an epoch once and drops what is left over", () => {
  const seen = new Set<number>();
  for (let step = 0; step < 3; step++) {
    const { indices, epoch } = batchAt(step, 3, 11, 7);
    assertEquals([indices.length, epoch], [3, 0]);
    indices.forEach((index) => seen.add(index));
  }
  assertEquals(seen.size, 9);
  assertEquals(batchAt(3, 3, 11, 7).epoch, 1);
  assertEquals(batchesPerEpoch(11, 3), 3);
});

Deno.test("batchAt() gives the same batch whatever was asked before", () => {
  const steps = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const ask = (step: number) => batchAt(step, 4, 10, 99, { flip: true });
  const forward = steps.map(ask);
  const backward = steps.toReversed().map(ask).reverse();
  assertEquals(backward, forward);
  const order = epochOrder(10, 99, 1);
  assertEquals([...forward[2]!.indices, ...forward[3]!.indices], [...order.subarray(0, 8)]);
});

Deno.test("batchAt() hands out arrays that the caller may change", () => {
  const first = batchAt(0, 4, 10, 1);
  const kept = first.indices.slice();
  first.indices.fill(0);
  assertEquals(batchAt(0, 4, 10, 1).indices, kept);
});

Deno.test("batchAt() mirrors an image by (seed, epoch, index), half of the time", () => {
  const { indices, flips } = batchAt(0, 4000, 4000, 3, { flip: true });
  indices.forEach((index, i) => assertEquals(flips[i] === 1, isFlipped(3, 0, index)));
  const share = flips.reduce((sum, flip) => sum + flip, 0) / 4000;
  assert(Math.abs(share - 0.5) < 0.04, `${share}`); // five deviations of 0.0079
  const again = flips.filter((flip, i) => (flip === 1) === isFlipped(3, 1, indices[i]!)).length;
  assert(Math.abs(again / 4000 - 0.5) < 0.04, "epochs must be independent");
  assertEquals(batchAt(0, 8, 10, 3).flips, new Uint8Array(8));
});

Deno.test("batchAt() refuses numbers out of range", () => {
  assertThrows(() => batchAt(0, 11, 10, 0), RangeError, "at most the set's 10 images, got 11");
  assertThrows(() => batchAt(-1, 2, 10, 0), RangeError, "step");
  assertThrows(() => batchAt(0, 0, 10, 0), RangeError, "batch size");
  assertThrows(() => batchAt(0, 1, 0, 0), RangeError, "count");
  assertThrows(() => batchAt(0, 1, 10, -1), RangeError, "seed");
  assertThrows(() => batchAt(0, 1, 10, 0.5), RangeError, "seed");
});
