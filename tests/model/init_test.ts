import { fans, initialRandom, ones, xavierUniform, zeros } from "../../model/init.ts";
import { philox4x32 } from "../../support/philox.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const mean = (values: Float32Array) => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length - mean(values) ** 2);

Deno.test("fans() counts channels for a matrix and channels times area for a kernel", () => {
  assertEquals(fans([5, 7]), { fanIn: 5, fanOut: 7 });
  assertEquals(fans([3, 3, 16, 32]), { fanIn: 144, fanOut: 288 });
  assertThrows(() => fans([4]), RangeError, "must have at least two axes, got 1");
});

Deno.test("xavierUniform() fills its interval evenly, scaled by the gain", () => {
  const bound = Math.sqrt(6 / (9 * 16 + 9 * 32));
  for (const gain of [1, 1e-5]) {
    const values = new Float32Array(3 * 3 * 16 * 32);
    xavierUniform([3, 3, 16, 32], gain)(values, initialRandom(1, 0));
    const most = Math.max(...values), least = Math.min(...values);
    assert(most <= gain * bound && most > 0.99 * gain * bound, `largest ${most}`);
    assert(least >= -gain * bound && least < -0.99 * gain * bound, `smallest ${least}`);
    // Standard error of the mean is bound / sqrt(3 n), about 0.0085 bound.
    assert(Math.abs(mean(values)) < 0.04 * gain * bound, `mean ${mean(values)}`);
    const expected = gain * bound / Math.sqrt(3);
    assert(Math.abs(deviation(values) / expected - 1) < 0.04, `deviation ${deviation(values)}`);
  }
});

Deno.test("zeros() and ones() overwrite what was there", () => {
  const values = new Float32Array(3).fill(7);
  ones(values, initialRandom(0, 0));
  assertEquals([...values], [1, 1, 1]);
  zeros(values, initialRandom(0, 0));
  assertEquals([...values], [0, 0, 0]);
});

Deno.test("initialRandom() draws the words of its Philox counter in order", () => {
  const { uniform } = initialRandom(2 ** 32 + 5, 3);
  for (const block of [0, 1]) {
    for (const word of philox4x32([block, 0, 8, 3], [5, 1])) {
      assertEquals(uniform(), (word >>> 8) / 2 ** 24);
    }
  }
});

Deno.test("initialRandom() tells seeds and parameters apart and repeats itself", () => {
  const draw = (seed: number, index: number) => initialRandom(seed, index).uniform();
  assertEquals(draw(1, 2), draw(1, 2));
  assertEquals(new Set([draw(1, 2), draw(2, 1), draw(1, 1), draw(2, 2)]).size, 4);
});

Deno.test("initialRandom() draws normal values of mean 0 and variance 1", () => {
  const { normal } = initialRandom(9, 0);
  const values = Float32Array.from({ length: 20000 }, normal);
  assert(Math.abs(mean(values)) < 0.03, `mean ${mean(values)}`);
  assert(Math.abs(deviation(values) - 1) < 0.03, `deviation ${deviation(values)}`);
});

Deno.test("initialRandom() refuses a seed that isn't a whole number", () => {
  assertThrows(() => initialRandom(0.5, 0), RangeError, "got 0.5");
});
