import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { gatherRowsForward } from "../../../kernels/layout/gather_rows.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

for (const columns of [1, 7, 8]) {
  Deno.test(`gatherRows() of ${columns} columns reads rows and adds gradients of repeated ones`, async () => {
    const gpu = await testGpu();
    const table = operand([5, columns]);
    const indices = [3, 0, 3, 4, 3, 1];
    const out = await differentiate(
      gpu,
      [table],
      ([table], graph) => gatherRows(table!, graph.constant(upload(gpu, [6], indices, "u32"))),
    );
    assertEquals(out.shape, [6, columns]);
    const expected: number[] = [], grad = new Float64Array(5 * columns);
    indices.forEach((row, n) => {
      for (let k = 0; k < columns; k++) {
        expected.push(table.values[row * columns + k]!);
        grad[row * columns + k]! += out.dy[n * columns + k]!;
      }
    });
    assertEquals([...out.y], expected);
    assertAllClose(out.grads[0]!, grad);
  });
}

Deno.test("gatherRows() refuses indices that are not u32", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const table = upload(gpu, [2, 2], [1, 2, 3, 4]);
    assertThrows(() => gatherRowsForward(capture, table, upload(gpu, [1], [0])), TypeError, "u32");
    assertThrows(
      () => gatherRowsForward(capture, upload(gpu, [2], [1, 2]), upload(gpu, [1], [0], "u32")),
      RangeError,
      "[T, D], got [2]",
    );
    return { y: gatherRowsForward(capture, table, upload(gpu, [1], [1], "u32")) };
  });
});
