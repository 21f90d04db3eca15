import { slerp } from "../../diffusion/interpolation.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { randomValues } from "../support/gpu.ts";

const length = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

Deno.test("slerp() walks along the arc in equal angles", () => {
  const a = Float32Array.of(2, 0, 0), b = Float32Array.of(0, 2, 0);
  for (const share of [0.25, 0.5, 0.9]) {
    const angle = share * Math.PI / 2;
    const expected = [2 * Math.cos(angle), 2 * Math.sin(angle), 0];
    assertAllClose(slerp(a, b, share), expected, { rtol: 1e-6, atol: 1e-7 });
  }
});

Deno.test("slerp() keeps noise as long as noise is, where a straight line would not", () => {
  const a = randomValues(3072, 1), b = randomValues(3072, 2);
  const middle = length(slerp(a, b, 0.5));
  const straight = length(a.map((value, i) => (value + b[i]!) / 2));
  const ends = (length(a) + length(b)) / 2;
  assert(Math.abs(middle / ends - 1) < 0.02, `${middle} must be near ${ends}`);
  assert(straight / ends < 0.75);
});

Deno.test("slerp() ends at its ends bit for bit", () => {
  const a = randomValues(99, 1), b = randomValues(99, 2);
  assertEquals(slerp(a, b, 0), a);
  assertEquals(slerp(a, b, 1), b);
});

Deno.test("slerp() of a vector and itself is that vector", () => {
  const a = randomValues(50, 7);
  for (const share of [0, 0.3, 1]) assertAllClose(slerp(a, a, share), a, { rtol: 1e-6, atol: 0 });
  const opposite = slerp(a, a.map((value) => -value), 0.25);
  assertAllClose(opposite, a.map((value) => value / 2), { rtol: 1e-5, atol: 1e-6 });
});

Deno.test("slerp() refuses vectors of different lengths", () => {
  assertThrows(() => slerp(new Float32Array(2), new Float32Array(3), 0.5), RangeError, "2 and 3");
});
