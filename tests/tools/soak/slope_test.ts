import { leastSquares } from "../../../tools/soak/slope.ts";
import { assertAlmostEquals, assertEquals, assertThrows } from "../../support/assert.ts";

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
