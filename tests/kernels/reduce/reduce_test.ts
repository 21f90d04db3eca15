import { mean, sum } from "../../../autograd/ops/reduce.ts";
import { normalizeAxes, sumAxes, sumMiddle, sumTo } from "../../../kernels/reduce/reduce.ts";
import { sumReference } from "../../reference/broadcast.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const SMALL: [number[], number[]][] = [
  [[1], [0]],
  [[7], [0]],
  [[], []],
  [[3, 5], [0]],
  [[3, 5], [1]],
  [[3, 5], [-1]],
  [[4, 3, 8], [1]],
  [[2, 3, 4, 5], [1, 2]],
  [[2, 3, 4, 5], [0, 2]],
  [[2, 3, 4, 5], [1, 3]],
  [[2, 3, 4, 8], [0, 1, 2]],
  [[3, 1, 4], [1]],
  [[2, 67, 3], [1]],
];

for (const [shape, axes] of SMALL) {
  for (const [op, f] of [["sum", sum], ["mean", mean]] as const) {
    Deno.test(`${op}() and its gradient match the f64 loops for [${shape}] over [${axes}]`, async () => {
      const x = operand(shape);
      const out = await differentiate(await testGpu(), [x], ([x]) => f(x!, { axes }));
      const positive = axes.map((axis) => axis < 0 ? axis + shape.length : axis);
      const count = op === "sum" ? 1 : positive.reduce((n, axis) => n * shape[axis]!, 1);
      const reference = ([values]: ArrayLike<number>[]) =>
        sumReference(shape, values!, positive).map((v) => v / count);
      assertEquals(out.shape, shape.filter((_, axis) => !positive.includes(axis)));
      assertAllClose(out.y, reference([x.values]), { name: "y", atol: 1e-5 });
      assertAllClose(out.grads[0]!, finiteDifference(reference, [x.values], 0, out.dy), {
        name: "dx",
        atol: 2e-6,
      });
    });
  }
}

Deno.test("sum() keeps reduced axes when asked", async () => {
  const out = await differentiate(
    await testGpu(),
    [operand([2, 3, 4])],
    ([x]) => sum(x!, { axes: [1], keepDims: true }),
  );
  assertEquals(out.shape, [2, 1, 4]);
});

// Long enough for several blocks and for both passes; the last are not multiples of the block.
const LONG: [number[], number[]][] = [
  [[4096], [0]],
  [[262147], [0]],
  [[1048576 + 4], [0]],
  [[3, 20000], [1]],
  [[5, 4099], [1]],
  [[7000, 3], [0]],
  [[10007, 8], [0]],
  [[3, 1025, 12], [1]],
  [[130, 128], [0]],
  [[3, 100, 64], [1]],
  [[300, 65], [0, 1]],
];

for (const [shape, axes] of LONG) {
  Deno.test(`sumAxes() is accurate for the long sum of [${shape}] over [${axes}]`, async () => {
    const gpu = await testGpu();
    const values = randomValues(shape.reduce((a, b) => a * b, 1), 3).map((v) => v + 0.25);
    const { y } = await compute(gpu, (capture) => ({
      y: sumAxes(capture, upload(gpu, shape, values), axes, { scale: 0.5 }),
    }));
    const expected = sumReference(shape, values, axes).map((v) => 0.5 * v);
    assertAllClose(y, expected, { rtol: 3e-6, atol: 1e-4 });
  });
}

Deno.test("sumMiddle() gives the same bits in every run", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [2000, 12], randomValues(24000, 9));
  const run = async () =>
    (await compute(gpu, (capture) => ({ y: sumMiddle(capture, x, [1, 2000, 12]) }))).y;
  assertEquals(await run(), await run());
});

Deno.test("sumAxes() covers more than 65535 workgroups", async () => {
  const gpu = await testGpu();
  const rows = 70000;
  const { y } = await compute(gpu, (capture) => {
    const x = upload(gpu, [rows, 68], new Float32Array(rows * 68).fill(0.5));
    // 17 items of four stay in one invocation; a row of 68 single floats does not.
    return { y: sumAxes(capture, sumMiddle(capture, x, [rows, 1, 68]), [1]) };
  });
  assertEquals(y.length, rows);
  assertEquals(y.findIndex((v) => v !== 34), -1);
});

Deno.test("sumTo() refuses a shape that does not broadcast", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [2, 3], [1, 2, 3, 4, 5, 6]);
    assertThrows(() => sumTo(capture, x, [2]), RangeError, "shape [2] must broadcast to [2, 3]");
    assertThrows(() => sumTo(capture, x, [1, 2, 3]), RangeError, "must broadcast");
    return { y: sumTo(capture, x, [3]) };
  });
});

Deno.test("normalizeAxes() refuses missing and repeated axes", () => {
  assertEquals(normalizeAxes("sum", [-1, 0], 3), [0, 2]);
  assertThrows(() => normalizeAxes("sum", [3], 3), RangeError, "rank 3, got [3]");
  assertThrows(() => normalizeAxes("sum", [0, -3], 3), RangeError, "distinct");
});
