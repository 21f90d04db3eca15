import { avgPool2d, maxPool2d } from "../../../autograd/ops/pool.ts";
import { avgPoolForward, maxPoolForward } from "../../../kernels/layout/pool.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { pooledShape, poolReference } from "../../reference/pool.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

type Pair = [number, number];
const CASES: {
  shape: [number, number, number, number];
  kernel: Pair;
  stride: Pair;
  padding: Pair;
}[] = [
  { shape: [1, 1, 1, 1], kernel: [1, 1], stride: [1, 1], padding: [0, 0] },
  { shape: [2, 4, 6, 4], kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
  { shape: [1, 9, 9, 5], kernel: [3, 3], stride: [2, 2], padding: [0, 0] },
  { shape: [2, 7, 6, 4], kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
  { shape: [1, 7, 5, 3], kernel: [3, 2], stride: [2, 3], padding: [1, 0] },
  { shape: [1, 5, 8, 2], kernel: [2, 3], stride: [3, 1], padding: [1, 1] },
];

for (const { shape, ...window } of CASES) {
  const label =
    `[${shape}] kernel ${window.kernel} stride ${window.stride} padding ${window.padding}`;
  for (const countIncludePad of [true, false]) {
    Deno.test(`avgPool2d() matches the f64 loops for ${label}, countIncludePad ${countIncludePad}`, async () => {
      const x = operand(shape);
      const out = await differentiate(
        await testGpu(),
        [x],
        ([x]) => avgPool2d(x!, { ...window, countIncludePad }),
      );
      const reference = ([values]: ArrayLike<number>[]) =>
        poolReference(
          shape,
          values!,
          window,
          (inside, padded) =>
            inside.reduce((a, b) => a + b, 0) / (countIncludePad ? padded : inside.length),
        );
      assertEquals(out.shape, pooledShape(shape, window));
      assertAllClose(out.y, reference([x.values]), { name: "y" });
      assertAllClose(out.grads[0]!, finiteDifference(reference, [x.values], 0, out.dy), {
        name: "dx",
        atol: 2e-6,
      });
    });
  }
  Deno.test(`maxPool2d() matches the f64 loops for ${label}`, async () => {
    const x = operand(shape);
    const out = await differentiate(await testGpu(), [x], ([x]) => maxPool2d(x!, window));
    const reference = ([values]: ArrayLike<number>[]) =>
      poolReference(shape, values!, window, (inside) => Math.max(...inside));
    assertEquals(out.shape, pooledShape(shape, window));
    assertAllClose(out.y, reference([x.values]), { name: "y", rtol: 0, atol: 0 });
    assertAllClose(out.grads[0]!, finiteDifference(reference, [x.values], 0, out.dy, 1e-7), {
      name: "dx",
      atol: 2e-6,
    });
  });
}

Deno.test("maxPool2d() sends the gradient of a tie to the first maximum", async () => {
  const gpu = await testGpu();
  const x = { shape: [1, 2, 4, 1], values: [5, 5, 1, 7, 5, 5, 7, 1] };
  const out = await differentiate(gpu, [x], ([x]) => maxPool2d(x!, { kernel: 2 }));
  assertEquals([...out.y], [5, 7]);
  assertEquals([...out.grads[0]!], [out.dy[0]!, 0, 0, out.dy[1]!, 0, 0, 0, 0]);
});

Deno.test("maxPool2d() takes NaN for larger than any number and finds -Infinity", async () => {
  const gpu = await testGpu();
  const values = [1, NaN, -Infinity, -Infinity, 3, 2, -Infinity, -Infinity];
  const { y } = await compute(gpu, (capture) => ({
    y: maxPoolForward(capture, upload(gpu, [1, 2, 4, 1], values), { kernel: 2 }).result,
  }));
  assertEquals([...y], [NaN, -Infinity]);
});

Deno.test("avgPool2d() refuses windows that do not fit", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [1, 2, 2, 1], [1, 2, 3, 4]);
    const attempt = (options: Parameters<typeof avgPoolForward>[2]) => () =>
      avgPoolForward(capture, x, options);
    assertThrows(attempt({ kernel: 5, padding: 1 }), RangeError, "fit into 2 pixels");
    assertThrows(attempt({ kernel: 2, padding: 2 }), RangeError, "half the kernel");
    assertThrows(attempt({ kernel: 2, stride: 0 }), RangeError, "at least 1");
    assertThrows(
      () => avgPoolForward(capture, upload(gpu, [4], [1, 2, 3, 4]), { kernel: 1 }),
      RangeError,
      "[N, H, W, C]",
    );
    return { y: avgPoolForward(capture, x, { kernel: 2 }) };
  });
});
