import { goesUp, leastSquares } from "../../../dev/soak/slope.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("leastSquares() gives the slope and its standard error", () => {
  // By hand: mean (2, 5); Sxx 10, Sxy 20, residuals 1, -2, 1, -0, 0 around 1 + 2 x.
  const points = [[0, 2], [1, 1], [2, 6], [3, 7], [4, 9]].map(([x, y]) => ({ x: x!, y: y! }));
  const { slope, error, points: n } = leastSquares(points);
  assertAlmostEquals(slope, 2, 1e-12);
  assertAlmostEquals(error, Math.sqrt(6 / 3 / 10), 1e-12);
  assertEquals(n, 5);
  const flat = leastSquares([1, 2, 3, 4].map((x) => ({ x, y: 7 })));
  assertEquals([flat.slope, flat.error], [0, 0]);
});

Deno.test("leastSquares() refuses too few points, and points at one place", () => {
  assertThrows(() => leastSquares([{ x: 1, y: 1 }, { x: 2, y: 2 }]), RangeError, "three places");
  const same = [1, 2, 3].map((y) => ({ x: 5, y }));
  assertThrows(() => leastSquares(same), RangeError, "three places");
});

Deno.test("goesUp() lets pass what chance or a page now and then explains, and what falls", () => {
  const up = (slope: number, error: number) => goesUp({ slope, error, points: 20 });
  assert(!up(0, 0) && !up(8, 0.1), "a page in 500 steps");
  assert(!up(59, 30), "two standard errors");
  assert(up(8.3, 4) && up(61, 30), "more than a page, and more than chance");
  assert(!up(-61, 1), "falls");
});

Deno.test("goesUp() sees a leak of 16 bytes a step through readings that differ by pages", () => {
  const readings = (leak: number) =>
    Array.from({ length: 20 }, (_, i) => {
      const x = 1200 + 200 * i;
      return { x, y: 4096 * Math.round((3e8 + leak * x + 8192 * (i % 3)) / 4096) };
    });
  assert(!goesUp(leastSquares(readings(0))));
  assert(goesUp(leastSquares(readings(16))));
});
