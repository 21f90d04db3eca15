import { haar } from "../../../autograd/ops/haar.ts";
import { Capture } from "../../../device/capture.ts";
import { haarForward, haarLevels } from "../../../kernels/layout/haar.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { haarTransform } from "../../reference/haar.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { randomTensor, testGpu, upload } from "../../support/gpu.ts";

for (
  const [height, width, weights] of [
    [4, 6, [0.5, 2, 3, 0.7]],
    [8, 4, [1, 0, 2, 0.3, 0.4, 0.5, 0.6]],
    [8, 24, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ] as const
) {
  const levels = (weights.length - 1) / 3;
  Deno.test(`haar() of ${levels} levels on ${height} x ${width} and its gradient match f64`, async () => {
    const gpu = await testGpu();
    const x = operand([2, height, width, 3], 5);
    const table = upload(gpu, [weights.length], weights);
    const { y, dy, grads } = await differentiate(gpu, [x], ([x]) => haar(x!, table));
    const f = (values: ArrayLike<number>) =>
      haarTransform(values, { samples: 2, height, width, channels: 3 }, weights);
    assertAllClose(y, f(x.values));
    const slopes = finiteDifference(([x]) => f(x!), [x.values], 0, dy, 1);
    assertAllClose(grads[0]!, slopes, { atol: 1e-5, name: "dx" });
  });
}

Deno.test("haarForward() refuses sides that can't be halved so often", async () => {
  const gpu = await testGpu();
  const weights = upload(gpu, [7], [1, 1, 1, 1, 1, 1, 1]);
  for (const shape of [[1, 6, 8, 1], [1, 8, 6, 1], [8, 8, 1]]) {
    assertThrows(
      () => haarForward(new Capture(gpu, "test"), randomTensor(gpu, shape), weights),
      RangeError,
      "can be halved",
    );
  }
  assertEquals([haarLevels(28, 28, 9), haarLevels(32, 32, 3), haarLevels(5, 8, 3)], [2, 3, 0]);
});
