import {
  bernoulli,
  integerBelow,
  permutation,
  philox4x32,
  philoxInto,
  seedKey,
  uniform,
  type Words2,
  type Words4,
} from "../../support/philox.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "./assert.ts";

const ones = 0xffffffff;

for (
  const [counter, key, words] of [
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[ones, ones, ones, ones], [ones, ones], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as [Words4, Words2, Words4][]
) {
  Deno.test(`philox4x32() gives Random123's words for counter ${counter[0].toString(16)}`, () => {
    assertEquals(philox4x32(counter, key), words);
  });
}

Deno.test("philoxInto() writes four words at the offset and nothing else", () => {
  const out = new Uint32Array(8).fill(7);
  philoxInto(out, 2, 0, 0, 0, 0, 0, 0);
  assertEquals([...out], [7, 7, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8, 7, 7]);
});

Deno.test("seedKey() splits a seed into its low and high word", () => {
  assertEquals(seedKey(5), [5, 0]);
  assertEquals(seedKey(2 ** 32 + 3), [3, 1]);
  assertEquals(seedKey(Number.MAX_SAFE_INTEGER), [ones, 0x1fffff]);
  assertEquals(seedKey(0x0123456789abcdefn), [0x89abcdef, 0x01234567]);
  assertEquals(seedKey((1n << 64n) - 1n), [ones, ones]);
});

Deno.test("seedKey() refuses what is no 64-bit integer", () => {
  for (const seed of [-1, 0.5, NaN, Infinity, 2 ** 53, -1n, 1n << 64n]) {
    assertThrows(() => seedKey(seed), RangeError, `got ${seed}`);
  }
});

Deno.test("uniform() stays in (0, 1] and is exact in f32", () => {
  assertEquals(uniform(0), 2 ** -24);
  assertEquals(uniform(ones), 1);
  for (const word of [1, 255, 256, 0x7fffffff, 0x80000000, 0xfedcba98]) {
    assertEquals(Math.fround(uniform(word)), uniform(word));
  }
});

Deno.test("integerBelow() is the high word of the product, for any n", () => {
  for (const word of [0, 1, 0x7fffffff, 0x80000001, 0xdeadbeef, ones]) {
    for (const n of [1, 2, 3, 1000, 65536, 0x80000000, ones]) {
      assertEquals(integerBelow(word, n), Number((BigInt(word) * BigInt(n)) >> 32n));
    }
  }
});

Deno.test("integerBelow() draws each of 6 values equally often", () => {
  const counts = new Array<number>(6).fill(0);
  const draws = 24000;
  for (let i = 0; i < draws / 4; i++) {
    for (const word of philox4x32([i, 0, 0, 0], [11, 0])) counts[integerBelow(word, 6)]!++;
  }
  const expected = draws / 6;
  const chi2 = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // The 99.9 % point with 5 degrees of freedom.
  assert(chi2 < 20.5, `chi^2 = ${chi2} for ${counts}`);
});

Deno.test("bernoulli() never happens for 0, always for 1 and half of the time for 1/2", () => {
  let halves = 0;
  for (let i = 0; i < 4000; i++) {
    const word = philox4x32([i, 1, 0, 0], [3, 4])[0];
    assert(!bernoulli(word, 0) && bernoulli(word, 1));
    if (bernoulli(word, 0.5)) halves++;
  }
  assertAlmostEquals(halves / 4000, 0.5, 0.03);
  assert(!bernoulli(0, 0) && bernoulli(ones, 1));
});

Deno.test("permutation() holds every index once", () => {
  for (const n of [0, 1, 2, 5, 1000]) {
    const order = permutation(n, { seed: 7, epoch: 3, stream: 1 });
    assertEquals([...order].sort((a, b) => a - b), Array.from({ length: n }, (_, i) => i));
  }
});

Deno.test("permutation() depends on seed, epoch and stream, and on nothing else", () => {
  const options = { seed: 7, epoch: 3, stream: 1 };
  const order = permutation(50, options).join();
  assertEquals(permutation(50, { ...options }).join(), order);
  for (const change of [{ seed: 8 }, { seed: 7n + (1n << 32n) }, { epoch: 4 }, { stream: 2 }]) {
    assert(
      permutation(50, { ...options, ...change }).join() !== order,
      JSON.stringify({ ...options }),
    );
  }
});

Deno.test("permutation() gives each of the 24 orders of 4 equally often", () => {
  const counts = new Map<string, number>();
  const draws = 12000;
  for (let epoch = 0; epoch < draws; epoch++) {
    const order = permutation(4, { seed: 1, epoch, stream: 0 }).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assertEquals(counts.size, 24);
  const expected = draws / 24;
  const chi2 = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // The 99.9 % point with 23 degrees of freedom.
  assert(chi2 < 49.7, `chi^2 = ${chi2}`);
});

Deno.test("permutation() refuses sizes and epochs that are no words", () => {
  const options = { seed: 0, epoch: 0, stream: 0 };
  assertThrows(() => permutation(-1, options), RangeError, "n must be an integer");
  assertThrows(() => permutation(2.5, options), RangeError, "got 2.5");
  assertThrows(() => permutation(3, { ...options, epoch: 2 ** 32 }), RangeError, "epoch must");
});
