import { resizeBilinear } from "../../../autograd/ops/resize_bilinear.ts";
import { resizeBilinearForward } from "../../../kernels/layout/resize_bilinear.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { resizeBilinearReference } from "../../reference/resize_bilinear.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const CASES: { shape: [number, number, number, number]; size: [number, number] }[] = [
  { shape: [1, 1, 1, 1], size: [1, 1] },
  { shape: [1, 1, 1, 3], size: [4, 5] },
  { shape: [2, 5, 7, 2], size: [13, 11] },
  { shape: [1, 8, 8, 4], size: [19, 16] },
  { shape: [1, 6, 4, 4], size: [6, 4] },
  { shape: [2, 11, 9, 1], size: [3, 4] },
  { shape: [1, 13, 7, 4], size: [1, 2] },
  { shape: [1, 3, 8, 8], size: [7, 3] },
];

for (const { shape, size } of CASES) {
  Deno.test(`resizeBilinear() matches the f64 loops from [${shape}] to [${size}]`, async () => {
    const x = operand(shape);
    const out = await differentiate(await testGpu(), [x], ([x]) => resizeBilinear(x!, size));
    const reference = ([values]: ArrayLike<number>[]) =>
      resizeBilinearReference(shape, values!, size);
    assertEquals(out.shape, [shape[0], ...size, shape[3]]);
    assertAllClose(out.y, reference([x.values]), { name: "y" });
    assertAllClose(out.grads[0]!, finiteDifference(reference, [x.values], 0, out.dy), {
      name: "dx",
      atol: 2e-6,
    });
  });
}

Deno.test("resizeBilinear() keeps a constant image and gives every gradient a place", async () => {
  const shape = [1, 32, 32, 3];
  const x = { shape, values: new Float32Array(32 * 32 * 3).fill(0.5) };
  const out = await differentiate(await testGpu(), [x], ([x]) => resizeBilinear(x!, [299, 299]));
  assertAllClose(out.y, new Float32Array(299 * 299 * 3).fill(0.5), { name: "y" });
  const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
  assertAllClose([sum(out.grads[0]!)], [sum(out.dy)], { name: "sum", rtol: 1e-4, atol: 1e-2 });
});

Deno.test("resizeBilinearForward() refuses other shapes and sides that are no sides", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [1, 2, 2, 1], [1, 2, 3, 4]);
    const attempt = (size: [number, number]) => () => resizeBilinearForward(capture, x, size);
    assertThrows(attempt([0, 2]), RangeError, "[1, 2, 2, 1] to [0, 2]");
    assertThrows(attempt([2, 1.5]), RangeError, "positive");
    assertThrows(attempt([2 ** 30, 2]), RangeError, "at most");
    assertThrows(
      () => resizeBilinearForward(capture, upload(gpu, [4], [1, 2, 3, 4]), [2, 2]),
      RangeError,
      "[N, H, W, C]",
    );
    return { y: resizeBilinearForward(capture, x, [1, 1]) };
  });
});
