import { matmul } from "../../../kernels/matmul/matmul.ts";
import { matmulReference } from "../../reference/matmul.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { Capture } from "../../../device/capture.ts";

const SIZES = [
  [1, 1, 1],
  [3, 5, 7],
  [16, 32, 64],
  [17, 36, 20],
  [100, 48, 12],
  [5, 4, 8],
  [64, 24, 4],
  [12, 10, 16],
  [33, 128, 260],
] as const;

for (const [m, n, k] of SIZES) {
  for (const [aT, bT] of [[false, false], [true, false], [false, true], [true, true]] as const) {
    const text = `${m}x${k}${aT ? "ᵀ" : ""} by ${k}x${n}${bT ? "ᵀ" : ""}`;
    Deno.test(`matmul() matches the f64 product for ${text}`, async () => {
      const gpu = await testGpu();
      const a = randomValues(m * k, 1), b = randomValues(k * n, 2), bias = randomValues(n, 3);
      const { y } = await compute(gpu, (capture) => ({
        y: matmul(capture, {
          a: { tensor: upload(gpu, [m * k], a), row: aT ? m : k, transposed: aT },
          b: { tensor: upload(gpu, [k * n], b), row: bT ? k : n, transposed: bT },
          m,
          n,
          k,
          bias: upload(gpu, [n], bias),
          alpha: 0.5,
        }),
      }));
      const expected = matmulReference(
        m,
        n,
        k,
        (i, l) => aT ? a[l * m + i]! : a[i * k + l]!,
        (l, j) => bT ? b[j * k + l]! : b[l * n + j]!,
      ).map((v, i) => 0.5 * v + bias[i % n]!);
      assertAllClose(y, expected, { rtol: 1e-5, atol: 1e-5 });
    });
  }
}

for (const [heads, depth] of [[3, 8], [2, 5]] as const) {
  Deno.test(`matmul() walks batches and heads of depth ${depth} by strides`, async () => {
    const gpu = await testGpu();
    const [batches, length] = [2, 12];
    const width = heads * depth;
    const q = randomValues(batches * length * width, 4), k = randomValues(q.length, 5);
    const operand = (data: Float32Array<ArrayBuffer>) => ({
      tensor: upload(gpu, [batches, length, width], data),
      row: width,
      outer: length * width,
      inner: depth,
    });
    const { y } = await compute(gpu, (capture) => ({
      y: matmul(capture, {
        a: operand(q),
        b: { ...operand(k), transposed: true },
        m: length,
        n: length,
        k: depth,
        outer: batches,
        inner: heads,
      }),
    }));
    const expected: number[] = [];
    for (let o = 0; o < batches; o++) {
      for (let h = 0; h < heads; h++) {
        const at = (data: Float32Array, i: number, l: number) =>
          data[(o * length + i) * width + h * depth + l]!;
        expected.push(
          ...matmulReference(length, length, depth, (i, l) => at(q, i, l), (l, j) => at(k, j, l)),
        );
      }
    }
    assertAllClose(y, expected, { rtol: 1e-5, atol: 1e-5 });
  });
}

Deno.test("matmul() refuses operands that are too small", async () => {
  const gpu = await testGpu();
  const tensor = gpu.tensor([4, 4]);
  assertThrows(
    () =>
      matmul(new Capture(gpu, "test"), {
        a: { tensor, row: 5 },
        b: { tensor, row: 4 },
        m: 4,
        n: 4,
        k: 5,
      }),
    RangeError,
    "must have 20 elements",
  );
});
