import { unfoldDepth } from "../../../autograd/ops/unfold_depth.ts";
import { unfoldDepth as unfold } from "../../../kernels/layout/unfold_depth.ts";
import { Capture } from "../../../device/capture.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const CASES = [
  { shape: [2, 5, 3, 4], kernel: 3, stride: 1, padding: 1 },
  { shape: [1, 4, 2, 3], kernel: 3, stride: 1, padding: 1 },
  { shape: [2, 1, 2, 1], kernel: 3, stride: 1, padding: 1 },
  { shape: [1, 7, 1, 8], kernel: 3, stride: 2, padding: 1 },
  { shape: [2, 6, 2, 5], kernel: 2, stride: 3, padding: 0 },
  { shape: [1, 3, 2, 2], kernel: 5, stride: 1, padding: 2 },
] as const;

for (const { shape, kernel, stride, padding } of CASES) {
  Deno.test(`unfoldDepth() and its gradient match the f64 loops for [${shape}], a kernel of ${kernel}, stride ${stride}`, async () => {
    const [n, depth, pixels, channels] = shape;
    const outDepth = Math.floor((depth + 2 * padding - kernel) / stride) + 1;
    const reference = ([x]: ArrayLike<number>[]) => {
      const y: number[] = [];
      for (let i = 0; i < n * outDepth; i++) {
        for (let p = 0; p < pixels; p++) {
          for (let k = 0; k < kernel; k++) {
            const slice = i % outDepth * stride + k - padding;
            const at = (Math.floor(i / outDepth) * depth + slice) * pixels + p;
            for (let c = 0; c < channels; c++) {
              y.push(slice < 0 || slice >= depth ? 0 : x![at * channels + c]!);
            }
          }
        }
      }
      return y;
    };
    const x = operand(shape);
    const window = { kernel, stride, padding };
    const out = await differentiate(await testGpu(), [x], ([x]) => unfoldDepth(x!, window));
    assertEquals(out.shape, [n, outDepth, pixels, kernel * channels]);
    assertAllClose(out.y, reference([x.values]), { rtol: 0, atol: 0 });
    assertAllClose(out.grads[0]!, finiteDifference(reference, [x.values], 0, out.dy), {
      name: "dx",
      atol: 2e-6,
    });
  });
}

Deno.test("unfoldDepth() refuses a kernel that is deeper than the padded volume", async () => {
  const gpu = await testGpu();
  const x = gpu.tensor([1, 2, 3, 4]);
  assertThrows(
    () => unfold(new Capture(gpu, "test"), x, { kernel: 5, padding: 1 }),
    RangeError,
    "hold the kernel, got [1, 2, 3, 4] for a kernel of 5, stride 1 and padding 1",
  );
});
