import {
  type Draw,
  randomBernoulli,
  randomIntegers,
  randomNormal,
  randomUniform,
} from "../../../kernels/process/random.ts";
import { bernoulli, integerBelow, uniform } from "../../../support/philox.ts";
import { normalPair, wordsOf } from "../../reference/random.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

const KEY = [0x12345678, 0x9abcdef0, 41, 7] as const;

/** Draws under a key of rows and reads the numbers. */
async function draw(
  options: Draw,
  kind: "uniform" | "normal" | "integers" | "bernoulli" = "uniform",
  rows: readonly (readonly number[])[] = [KEY],
  argument = 1,
): Promise<number[]> {
  const gpu = await testGpu();
  const { y } = await compute(gpu, (capture) => {
    const key = upload(gpu, rows.length === 1 ? [4] : [rows.length, 4], rows.flat(), "u32");
    switch (kind) {
      case "uniform":
        return { y: randomUniform(capture, key, options) };
      case "normal":
        return { y: randomNormal(capture, key, options) };
      case "integers":
        return { y: randomIntegers(capture, key, { ...options, below: argument }) };
      case "bernoulli":
        return { y: randomBernoulli(capture, key, { ...options, probability: argument }) };
    }
  });
  return [...y];
}

for (const shape of [[], [1], [7], [3, 4], [2, 2, 3]]) {
  Deno.test(`randomUniform() and the others match the host for samples of [${shape}]`, async () => {
    const options = { samples: 3, shape, stream: 5 };
    const length = shape.reduce((a, b) => a * b, 1);
    const expected = (f: (words: number[]) => number[]) =>
      Array.from({ length: 3 * length }, (_, i) => {
        const e = i % length;
        const words = wordsOf(KEY, 5, Math.floor(i / length), e >> 2);
        return f(words)[e % 4]!;
      });
    assertEquals(await draw(options), expected((words) => words.map(uniform)));
    assertAllClose(
      await draw(options, "normal"),
      expected(([a, b, c, d]) => [...normalPair(a!, b!), ...normalPair(c!, d!)]),
      { rtol: 2e-6, atol: 1e-6 },
    );
    assertEquals(
      await draw(options, "integers", [KEY], 1000),
      expected((words) => words.map((word) => integerBelow(word, 1000))),
    );
    assertEquals(
      await draw(options, "bernoulli", [KEY], 0.3),
      expected((words) => words.map((word) => Number(bernoulli(word, 0.3)))),
    );
  });
}

Deno.test("randomNormal() gives the same samples however a batch is split", async () => {
  const whole = await draw({ samples: 4, shape: [5, 3], stream: 1 }, "normal");
  const later = [KEY[0], KEY[1], KEY[2], KEY[3] + 2];
  const half = await draw({ samples: 2, shape: [5, 3], stream: 1 }, "normal", [later]);
  assertEquals(half, whole.slice(30));
});

Deno.test("randomNormal() with a key a sample depends on that sample's row alone", async () => {
  const a = [1, 2, 3, 0], b = [9, 8, 3, 0], c = [5, 5, 3, 0];
  const options = { samples: 3, shape: [8], stream: 3 };
  const first = await draw(options, "normal", [a, b, c]);
  const second = await draw(options, "normal", [c, a, b]);
  assertEquals(second.slice(8, 16), first.slice(0, 8));
  assertEquals(second.slice(0, 8), first.slice(16));
  const alone = await draw({ ...options, samples: 1 }, "normal", [a]);
  assertEquals(alone, first.slice(0, 8));
});

Deno.test("randomUniform() differs between streams, steps and seeds", async () => {
  const base = { samples: 1, shape: [8], stream: 0 };
  const draws = [
    await draw(base),
    await draw({ ...base, stream: 1 }),
    await draw(base, "uniform", [[KEY[0], KEY[1], 42, 7]]),
    await draw(base, "uniform", [[KEY[0] + 1, KEY[1], 41, 7]]),
    await draw(base, "uniform", [[KEY[0], KEY[1] + 1, 41, 7]]),
    await draw(base, "uniform", [[KEY[0], KEY[1], 41, 8]]),
  ];
  assertEquals(new Set(draws.flat()).size, 48);
});

Deno.test("randomNormal() has the moments of a normal distribution", async () => {
  const values = await draw({ samples: 4, shape: [50000], stream: 1 }, "normal");
  const n = values.length;
  const moment = (k: number) => values.reduce((total, v) => total + v ** k, 0) / n;
  // Standard errors: 1, sqrt 2, sqrt 15 and sqrt 96 over sqrt n; five of them are allowed.
  const error = 5 / Math.sqrt(n);
  assert(Math.abs(moment(1)) < error, `mean ${moment(1)}`);
  assert(Math.abs(moment(2) - 1) < Math.SQRT2 * error, `variance ${moment(2)}`);
  assert(Math.abs(moment(3)) < Math.sqrt(15) * error, `third moment ${moment(3)}`);
  assert(Math.abs(moment(4) - 3) < Math.sqrt(96) * error, `fourth moment ${moment(4)}`);
  const beyond = values.filter((v) => Math.abs(v) > 3).length / n;
  assert(Math.abs(beyond - 0.0027) < 6e-4, `share beyond 3: ${beyond}`);
  // Neighbours come from one pair of words.
  const correlation = values.reduce((total, v, i) => total + v * values[i ^ 1]!, 0) / n;
  assert(Math.abs(correlation) < 1.5 * error, `correlation of neighbours ${correlation}`);
});

Deno.test("randomIntegers() passes a chi-square test and stays below its bound", async () => {
  const below = 101;
  const values = await draw({ samples: 1, shape: [101000], stream: 0 }, "integers", [KEY], below);
  const counts = new Array(below).fill(0);
  for (const v of values) counts[v]++;
  assert(values.every((v) => v >= 0 && v < below));
  const chiSquare = counts.reduce((total, count) => total + (count - 1000) ** 2 / 1000, 0);
  // 100 degrees of freedom: mean 100, standard deviation 14.1.
  assert(chiSquare > 50 && chiSquare < 160, `chi-square ${chiSquare}`);
});

Deno.test("randomBernoulli() is exact at 0 and 1 and has its probability", async () => {
  const options = { samples: 1, shape: [40000], stream: 2 };
  assertEquals(new Set(await draw(options, "bernoulli", [KEY], 0)), new Set([0]));
  assertEquals(new Set(await draw(options, "bernoulli", [KEY], 1)), new Set([1]));
  const values = await draw(options, "bernoulli", [KEY], 0.25);
  const share = values.reduce((a, b) => a + b, 0) / values.length;
  assert(Math.abs(share - 0.25) < 5 * Math.sqrt(0.25 * 0.75 / values.length), `share ${share}`);
});

Deno.test("randomUniform() refuses keys of another type or shape, and wrong arguments", async () => {
  const gpu = await testGpu();
  const options = { samples: 2, shape: [4], stream: 0 };
  const refuse = (key: ReturnType<typeof upload>, text: string) =>
    assertRejects(
      () => compute(gpu, (capture) => ({ y: randomUniform(capture, key, options) })),
      Error,
      text,
    );
  await refuse(upload(gpu, [4], [1, 2, 3, 4]), "must be u32, got f32");
  await refuse(upload(gpu, [3, 4], new Uint32Array(12), "u32"), "[4] or [2, 4], got [3, 4]");
  await assertRejects(() => draw(options, "integers", [KEY], 0), RangeError, "got 0");
  await assertRejects(() => draw(options, "bernoulli", [KEY], 1.5), RangeError, "got 1.5");
});
