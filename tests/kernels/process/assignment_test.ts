import { leastAssignment, leastDistances } from "../../../kernels/process/assignment.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

const LENGTH = 5;

function distance(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number): number {
  let sum = 0;
  for (let k = 0; k < LENGTH; k++) sum += (a[i * LENGTH + k]! - b[j * LENGTH + k]!) ** 2;
  return Math.sqrt(sum);
}

/** The least sum over all ways to assign, from row `i` on. */
function least(a: ArrayLike<number>, b: ArrayLike<number>, free: number[], i = 0): number {
  if (free.length === 0) return 0;
  return Math.min(
    ...free.map((j) => distance(a, i, b, j) + least(a, b, free.filter((k) => k !== j), i + 1)),
  );
}

for (const rows of [1, 2, 5, 7]) {
  for (const seed of [1, 2, 3]) {
    Deno.test(`leastAssignment() finds the least sum of ${rows} distances, seed ${seed}`, async () => {
      const gpu = await testGpu();
      const a = randomValues(rows * LENGTH, seed), b = randomValues(rows * LENGTH, seed + 10);
      const { found, moved } = await compute(gpu, (capture) => {
        const [left, right] = [a, b].map((values) => upload(gpu, [rows, LENGTH], values));
        return {
          found: leastAssignment(capture, left!, right!),
          moved: leastDistances(capture, left!, right!),
        };
      });
      assertEquals([...found].sort(), [...found.keys()].sort(), "each row once");
      const sum = [...found].reduce((sum, j, i) => sum + distance(a, i, b, j), 0);
      assertAllClose([sum], [least(a, b, [...found.keys()])], { rtol: 1e-5 });
      assertEquals(
        [...moved],
        [...found].flatMap((j) => [...b.subarray(j * LENGTH, (j + 1) * LENGTH)]),
      );
    });
  }
}

Deno.test("leastAssignment() gives every row one at 96, and ends where nothing is a number", async () => {
  const gpu = await testGpu(), rows = 96;
  const a = randomValues(rows * LENGTH, 5), b = randomValues(rows * LENGTH, 6);
  const run = (values: Float32Array<ArrayBuffer>) =>
    compute(gpu, (capture) => ({
      found: leastAssignment(
        capture,
        upload(gpu, [rows, LENGTH], values),
        upload(gpu, [rows, LENGTH], b),
      ),
    }));
  const { found } = await run(a);
  assertEquals(new Set(found).size, rows);
  const sum = (places: ArrayLike<number>) =>
    Array.from(places).reduce((sum, j, i) => sum + distance(a, i, b, j), 0);
  assert(sum(found) < 0.9 * sum([...found.keys()]));
  await run(new Float32Array(rows * LENGTH).fill(NaN));
});

Deno.test("leastAssignment() refuses tensors of two shapes", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const a = upload(gpu, [2, 2], [1, 2, 3, 4]), b = upload(gpu, [4], [1, 2, 3, 4]);
    assertThrows(() => leastAssignment(capture, a, b), RangeError, "of one shape");
    return { a };
  });
});
