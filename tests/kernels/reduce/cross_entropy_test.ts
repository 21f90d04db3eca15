import { crossEntropy } from "../../../autograd/ops/cross_entropy.ts";
import { Capture } from "../../../device/capture.ts";
import { crossEntropyForward } from "../../../kernels/reduce/cross_entropy.ts";
import { crossEntropyReference } from "../../reference/cross_entropy.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate } from "../../support/gradients.ts";

for (const [rows, classes, scale] of [[1, 1, 1], [3, 10, 1], [131, 7, 5], [2, 1008, 40]] as const) {
  Deno.test(`crossEntropy() and its gradient match the f64 formula for [${rows}, ${classes}]`, async () => {
    const gpu = await testGpu();
    const labels = Array.from({ length: rows }, (_, i) => (i * 5 + 3) % classes);
    const values = randomValues(rows * classes, 3, scale);
    const { y, dy, grads } = await differentiate(
      gpu,
      [{ shape: [rows, classes], values }],
      ([x], graph) => crossEntropy(x!, graph.constant(upload(gpu, [rows], labels, "u32"))),
    );
    const expected = crossEntropyReference(values, labels, classes, dy);
    assertAllClose(y, expected.y, { rtol: 1e-5, atol: 1e-5, name: "y" });
    assertAllClose(grads[0]!, expected.dx, { rtol: 1e-4, atol: 1e-6, name: "dx" });
  });
}

Deno.test("crossEntropy() refuses labels of another shape or type", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const x = upload(gpu, [2, 3], [1, 2, 3, 4, 5, 6]);
  const wrong = upload(gpu, [3], [0, 0, 0], "u32");
  assertThrows(() => crossEntropyForward(capture, x, wrong), RangeError, "labels [N]");
  const floats = upload(gpu, [2], [0, 0]);
  assertThrows(() => crossEntropyForward(capture, x, floats), TypeError, "must be u32");
});
