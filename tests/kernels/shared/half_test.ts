/**
 * Tensors stored as f16: what is computed from them is held to f64 within what f16 can say, and sums are
 * made in f32.
 */
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { conv2dForward, conv2dInputGrad, conv2dShape } from "../../../kernels/conv2d/conv2d.ts";
import { siluForward } from "../../../kernels/elementwise/silu.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import {
  setVariantPolicy,
  VARIANT_FAMILIES,
  type VariantFamily,
  variantPolicy,
} from "../../../kernels/shared/variants.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

/** Half a unit in the last place of f16, and room for f32's round-off in the sums before. */
const HALF = 2 ** -11 * 1.01;

interface Operand {
  readonly tensor: TensorRef;
  /** What f16 keeps of it. */
  readonly values: Float64Array;
}

function operand(gpu: Gpu, shape: readonly number[], seed: number): Operand {
  const halves = Float16Array.from(randomValues(shape.reduce((a, b) => a * b, 1), seed));
  return { tensor: upload(gpu, shape, halves, "f16"), values: Float64Array.from(halves) };
}

function assertHalves(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert(actual instanceof Float16Array);
  assertEquals(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    const most = HALF * Math.abs(expected[i]!) + 2e-6;
    assert(error <= most, `element ${i}: ${actual[i]} against ${expected[i]}`);
  }
}

/** Runs a test for each family of kernels, where the adapter computes with f16 at all. */
function testHalf(
  name: string,
  body: (gpu: Gpu) => Promise<void>,
  families: readonly VariantFamily[] = VARIANT_FAMILIES,
): void {
  for (const forced of families) {
    Deno.test(`${name} (${forced})`, async () => {
      const gpu = await testGpu();
      if (!gpu.has("shader-f16")) return;
      if (forced === "matrix" && gpu.matrixShapes.length === 0) return;
      const before = variantPolicy(gpu);
      setVariantPolicy(gpu, { forced });
      try {
        await body(gpu);
      } finally {
        setVariantPolicy(gpu, before);
      }
    });
  }
}

for (const count of [4096, 7]) {
  Deno.test(`siluForward() of ${count} halves is f64's, rounded`, async () => {
    const gpu = await testGpu();
    if (!gpu.has("shader-f16")) return;
    const x = operand(gpu, [count], 3);
    const { y } = await compute(gpu, (capture) => ({ y: siluForward(capture, x.tensor) }));
    assertHalves(y, x.values.map((v) => v / (1 + Math.exp(-v))));
  });
}

for (const [m, n, k] of [[40, 24, 512], [5, 7, 9]] as const) {
  for (const transposed of [false, true]) {
    testHalf(`matmul() of halves ${m}x${n}x${k}${transposed ? " transposed" : ""}`, async (gpu) => {
      const a = operand(gpu, [m, k], 1), b = operand(gpu, [k, n], 2), bias = operand(gpu, [n], 3);
      const { y } = await compute(gpu, (capture) => ({
        y: matmul(capture, {
          a: { tensor: a.tensor, row: k },
          b: { tensor: b.tensor, row: transposed ? k : n, transposed },
          m,
          n,
          k,
          bias: bias.tensor,
        }),
      }));
      const expected = Array.from({ length: m * n }, (_, i) => {
        const row = Math.floor(i / n), column = i % n;
        let sum = bias.values[column]!;
        for (let q = 0; q < k; q++) {
          sum += a.values[row * k + q]! * b.values[transposed ? column * k + q : q * n + column]!;
        }
        return sum;
      });
      // Cancellation leaves small sums of large terms: f32's round-off counts there.
      y.forEach((value, i) => {
        const error = Math.abs(value - expected[i]!);
        assert(error <= HALF * Math.abs(expected[i]!) + 1e-4, `${i}: ${value}, ${expected[i]}`);
      });
      assert(y instanceof Float16Array);
    });
  }
}

for (
  const [ci, co, families] of [[8, 16, ["subgroup"]], [3, 5, ["plain", "tiled"]]] as const
) {
  testHalf(`conv2d of halves, ${ci} to ${co} channels, forward and input gradient`, async (gpu) => {
    const [n, h, w] = [2, 8, 8];
    const x = operand(gpu, [n, h, w, ci], 1), weight = operand(gpu, [3, 3, ci, co], 2);
    const bias = operand(gpu, [co], 3), residual = operand(gpu, [n, h, w, co], 4);
    const shape = conv2dShape(x.tensor.shape, weight.tensor, { padding: [1, 1] });
    const { y, dx } = await compute(gpu, (capture) => ({
      y: conv2dForward(capture, x.tensor, weight.tensor, shape, {
        bias: bias.tensor,
        residual: residual.tensor,
      }),
      dx: conv2dInputGrad(capture, weight.tensor, residual.tensor, shape),
    }));
    const forward = residual.values.map((v, i) => v + bias.values[i % co]!);
    const back = new Float64Array(x.values.length);
    for (let p = 0; p < n * h * w; p++) {
      for (let tap = 0; tap < 9; tap++) {
        const sy = Math.floor(p / w) % h + Math.floor(tap / 3) - 1, sx = p % w + tap % 3 - 1;
        if (sy < 0 || sy >= h || sx < 0 || sx >= w) continue;
        const q = (Math.floor(p / (h * w)) * h + sy) * w + sx;
        for (let i = 0; i < ci; i++) {
          for (let o = 0; o < co; o++) {
            const factor = weight.values[(tap * ci + i) * co + o]!;
            forward[p * co + o]! += factor * x.values[q * ci + i]!;
            back[q * ci + i]! += factor * residual.values[p * co + o]!;
          }
        }
      }
    }
    for (const [name, actual, expected] of [["y", y, forward], ["dx", dx, back]] as const) {
      assert(actual instanceof Float16Array);
      actual.forEach((value, i) => {
        const error = Math.abs(value - expected[i]!);
        assert(
          error <= HALF * Math.abs(expected[i]!) + 1e-5,
          `${name} ${i}: ${value}, ${expected[i]}`,
        );
      });
    }
  }, families);
}

Deno.test("Capture.dispatch() refuses a tensor of another type than the kernel's", async () => {
  const gpu = await testGpu();
  const x = gpu.tensor([16], { dtype: "f16", label: "halves" });
  const b = gpu.tensor([16], { dtype: "u32", label: "integers" });
  assertThrows(
    () =>
      matmul(new Capture(gpu, "mixed"), {
        a: { tensor: x, row: 4 },
        b: { tensor: b, row: 4 },
        m: 4,
        n: 4,
        k: 4,
      }),
    TypeError,
    "b (integers) must be f32, got u32",
  );
});

Deno.test("conv2dForward() of halves in parts along k sums the parts in f32", async () => {
  const gpu = await testGpu();
  if (!gpu.has("shader-f16")) return;
  const x = operand(gpu, [1, 4, 4, 256], 1).tensor,
    weight = operand(gpu, [3, 3, 256, 64], 2).tensor;
  const residual = operand(gpu, [1, 4, 4, 64], 3).tensor;
  const before = variantPolicy(gpu), results: Float64Array[] = [], kernels: string[] = [];
  try {
    for (const forced of ["plain", "tiled"] as const) {
      setVariantPolicy(gpu, { forced });
      const { y } = await compute(gpu, (capture) => {
        const shape = conv2dShape(x.shape, weight, { padding: [1, 1] });
        const y = conv2dForward(capture, x, weight, shape, { residual });
        kernels.push(...capture.dispatches.map(({ kernel }) => kernel.name));
        return { y };
      });
      results.push(Float64Array.from(y));
    }
  } finally {
    setVariantPolicy(gpu, before);
  }
  assert(kernels.some((name) => name.includes(".split")), kernels.join());
  const [plain, parts] = results as [Float64Array, Float64Array];
  // Both are rounded once, from sums that differ by f32's round-off.
  plain.forEach((value, i) =>
    assert(Math.abs(value - parts[i]!) <= 2 * HALF * Math.abs(value) + 1e-4)
  );
});
