import { linear } from "../../../autograd/ops/matmul.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

Deno.test("exact linear() rounds each sum once, and its gradients are those of linear()", async () => {
  const gpu = await testGpu();
  for (const [rows, k, columns] of [[1, 1, 1], [3, 37, 5], [2, 700, 33]] as const) {
    const x = operand([rows, k], 1), w = operand([k, columns], 2);
    const sums = Array.from({ length: rows * columns }, (_, i) => {
      const row = Math.floor(i / columns), column = i % columns;
      let sum = 0;
      for (let j = 0; j < k; j++) sum += x.values[row * k + j]! * w.values[j * columns + column]!;
      return sum;
    });
    const run = (exact: boolean) =>
      differentiate(gpu, [x, w], ([x, w]) => linear(x!, w!, undefined, { exact }));
    const exact = await run(true), plain = await run(false);
    assertEquals(Array.from(exact.y), sums.map(Math.fround));
    exact.grads.forEach((grad, i) =>
      assertAllClose(grad, plain.grads[i]!, { rtol: 0, atol: 0, name: `gradient ${i}` })
    );
    if (k > 100) assert(plain.y.some((v, i) => v !== Math.fround(sums[i]!)));
  }
});
