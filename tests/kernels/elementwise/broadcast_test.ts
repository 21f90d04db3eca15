import { add } from "../../../autograd/ops/add.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { addSame } from "../../../kernels/elementwise/add.ts";
import {
  addForward,
  broadcastShape,
  expandTo,
  mulForward,
} from "../../../kernels/elementwise/broadcast.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { broadcastReference } from "../../reference/broadcast.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const SHAPES: [number[], number[], number[]][] = [
  [[1], [1], [1]],
  [[], [], []],
  [[3, 5], [3, 5], [3, 5]],
  [[6, 8], [8], [6, 8]],
  [[3, 5, 7], [7], [3, 5, 7]],
  [[2, 3, 3, 4], [2, 1, 1, 4], [2, 3, 3, 4]],
  [[2, 3, 3, 5], [2, 1, 1, 5], [2, 3, 3, 5]],
  [[2, 3, 8], [2, 3, 1], [2, 3, 8]],
  [[4, 1, 3], [2, 1], [4, 2, 3]],
  [[3, 1, 4], [1, 5, 4], [3, 5, 4]],
  [[2, 1, 3, 1, 4], [1, 5, 1, 2, 1], [2, 5, 3, 2, 4]],
  [[], [3, 4], [3, 4]],
];

for (const [a, b, result] of SHAPES) {
  const name = `[${a}] and [${b}]`;
  for (
    const [op, f] of [["add", (x: number, y: number) => x + y], [
      "mul",
      (x: number, y: number) => x * y,
    ]] as const
  ) {
    Deno.test(`${op}() and its gradients match the f64 loops for shapes ${name}`, async () => {
      const operands = [operand(a, 1), operand(b, 2)];
      const out = await differentiate(
        await testGpu(),
        operands,
        ([x, y]) => op === "add" ? add(x!, y!) : mul(x!, y!),
      );
      assertEquals(out.shape, result);
      const reference = (values: ArrayLike<number>[]) =>
        broadcastReference(result, { shape: a, values: values[0]! }, {
          shape: b,
          values: values[1]!,
        }, f);
      const values = operands.map((o) => o.values);
      assertAllClose(out.y, reference(values), { name: "y" });
      out.grads.forEach((grad, i) =>
        assertAllClose(grad, finiteDifference(reference, values, i, out.dy), {
          name: `gradient ${i}`,
          rtol: 1e-5,
          atol: 2e-6,
        })
      );
    });
  }
}

Deno.test("add() refuses shapes that do not broadcast and names both", async () => {
  const gpu = await testGpu();
  const operands = [operand([2, 3]), operand([2, 4])];
  let message = "";
  try {
    await differentiate(gpu, operands, ([x, y]) => add(x!, y!));
  } catch (error) {
    message = String(error);
  }
  assertEquals(
    message,
    "RangeError: Cannot compute add: shapes must be equal or 1 in every axis, got [2, 3] and [2, 4]",
  );
});

Deno.test("add() of a tensor to itself doubles its gradient", async () => {
  const out = await differentiate(await testGpu(), [operand([3, 5])], ([x]) => add(x!, x!));
  assertAllClose(out.grads[0]!, out.dy.map((v) => 2 * v));
});

Deno.test("broadcastShape() follows numpy's rules", () => {
  assertEquals(broadcastShape("x", [2, 1, 3], [5, 1], []), [2, 5, 3]);
  assertThrows(() => broadcastShape("x", [2], [3]), RangeError, "[2] and [3]");
});

Deno.test("expandTo() repeats and scales", async () => {
  const gpu = await testGpu();
  const { y } = await compute(gpu, (capture) => ({
    y: expandTo(capture, upload(gpu, [2, 1], [1, 2]), [2, 3], 0.5),
  }));
  assertEquals([...y], [0.5, 0.5, 0.5, 1, 1, 1]);
});

Deno.test("scale() multiplies values and gradients by the number", async () => {
  const x = operand([3, 7]);
  const out = await differentiate(await testGpu(), [x], ([x]) => scale(x!, -1.75));
  assertAllClose(out.y, Array.from(x.values, (v) => -1.75 * v));
  assertAllClose(out.grads[0]!, out.dy.map((v) => -1.75 * v));
});

Deno.test("reshape() keeps the order of elements, also of gradients", async () => {
  const x = operand([3, 8]);
  const out = await differentiate(await testGpu(), [x], ([x]) => scale(reshape(x!, [2, 3, 4]), 2));
  assertEquals(out.shape, [2, 3, 4]);
  assertAllClose(out.y, Array.from(x.values, (v) => 2 * v));
  assertAllClose(out.grads[0]!, out.dy.map((v) => 2 * v));
});

Deno.test("add() covers more than 65535 workgroups", async () => {
  const gpu = await testGpu();
  const rows = 64 * 65535 + 5;
  const { y } = await compute(gpu, (capture) => ({
    y: expandTo(capture, upload(gpu, [1, 1], [3]), [rows, 1]),
  }));
  assertEquals(y.length, rows);
  assertEquals([y[0], y[64 * 65535], y[rows - 1]], [3, 3, 3]);
  assertEquals(y.indexOf(0), -1);
});

Deno.test("add() and mul() bind a tensor once that is both operands, of one shape and broadcast, next to their result", async () => {
  const gpu = await testGpu();
  const values = [1, -2, 3, 0.5, -4, 7], x = upload(gpu, [2, 3], values);
  const names: string[][] = [];
  const { square, double, same } = await compute(gpu, (capture) => {
    const own = scaleForward(capture, x, 1);
    const results = {
      square: mulForward(capture, own, own),
      double: addForward(capture, own, own),
      same: addSame(capture, own, own),
    };
    names.push(...capture.dispatches.map(({ bindings }) => bindings.map(({ name }) => name)));
    return results;
  });
  assertEquals(names.slice(1), Array(3).fill(["a", "result"]));
  assertAllClose(square, values.map((v) => v * v));
  for (const sum of [double, same]) assertAllClose(sum, values.map((v) => 2 * v));
});
