import { upsampleNearest2x } from "../../../autograd/ops/upsample.ts";
import { upsampleForward } from "../../../kernels/layout/upsample.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { upsampleReference } from "../../reference/pool.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

for (const shape of [[1, 1, 1, 1], [2, 3, 5, 4], [1, 5, 3, 7], [3, 2, 2, 12]] as const) {
  Deno.test(`upsampleNearest2x() and its gradient match the f64 loops for [${shape}]`, async () => {
    const x = operand(shape);
    const out = await differentiate(await testGpu(), [x], ([x]) => upsampleNearest2x(x!));
    const reference = ([values]: ArrayLike<number>[]) => upsampleReference(shape, values!);
    assertEquals(out.shape, [shape[0], 2 * shape[1], 2 * shape[2], shape[3]]);
    assertAllClose(out.y, reference([x.values]), { rtol: 0, atol: 0 });
    assertAllClose(out.grads[0]!, finiteDifference(reference, [x.values], 0, out.dy), {
      name: "dx",
      atol: 2e-6,
    });
  });
}

Deno.test("upsampleNearest2x() refuses what is not an image", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [2, 2], [1, 2, 3, 4]);
    assertThrows(() => upsampleForward(capture, x), RangeError, "[N, H, W, C], got [2, 2]");
    return { y: upsampleForward(capture, { ...x, shape: [1, 2, 2, 1] }) };
  });
});
