import { filterResample } from "../../../autograd/ops/filter_resample.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { randomTensor, testGpu } from "../../support/gpu.ts";
import { Capture } from "../../../device/capture.ts";
import { filterResampleForward } from "../../../kernels/layout/filter_resample.ts";

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly taps: readonly number[];
  readonly way: "down" | "up";
  readonly pad?: number;
}

const CASES: readonly Case[] = [
  { shape: [2, 6, 4, 4], taps: [1, 1], way: "down" },
  { shape: [1, 8, 6, 3], taps: [1, 3, 3, 1], way: "down" },
  { shape: [1, 9, 7, 4], taps: [1, 2, 3, 5, 4, 1], way: "down", pad: 0 },
  { shape: [1, 7, 5, 2], taps: [1, 2, 1], way: "down" },
  { shape: [2, 3, 2, 4], taps: [1, 1], way: "up" },
  { shape: [1, 4, 3, 3], taps: [1, 3, 2, 1], way: "up" },
  { shape: [1, 3, 5, 4], taps: [1, 2, 3, 5, 4, 1], way: "up" },
];

/** The matrix `[out, in]` of one side: PyTorch's strided and transposed convolution. */
function matrix(side: number, { taps, way, pad }: Case): number[][] {
  const length = taps.length, p = pad ?? Math.floor((length - 1) / 2);
  const sum = taps.reduce((a, b) => a + b), f = taps.map((tap) => tap / sum);
  if (way === "down") {
    const out = Math.floor((side + 2 * p - length) / 2) + 1;
    return Array.from(
      { length: out },
      (_, i) => Array.from({ length: side }, (_, j) => f[j - 2 * i + p] ?? 0),
    );
  }
  const out = 2 * (side - 1) - 2 * p + length;
  return Array.from(
    { length: out },
    (_, i) => Array.from({ length: side }, (_, j) => 2 * (f[i + p - 2 * j] ?? 0)),
  );
}

/** Applies one matrix to rows and one to columns. */
function apply(
  values: ArrayLike<number>,
  [n, h, w, c]: readonly [number, number, number, number],
  rows: number[][],
  columns: number[][],
): Float64Array {
  const out = new Float64Array(n * rows.length * columns.length * c);
  let to = 0;
  for (let image = 0; image < n; image++) {
    for (const row of rows) {
      for (const column of columns) {
        for (let channel = 0; channel < c; channel++) {
          let sum = 0;
          for (const [y, fy] of row.entries()) {
            for (const [x, fx] of column.entries()) {
              sum += fy * fx * values[((image * h + y) * w + x) * c + channel]!;
            }
          }
          out[to++] = sum;
        }
      }
    }
  }
  return out;
}

const transposed = (m: number[][]) => m[0]!.map((_, j) => m.map((row) => row[j]!));

Deno.test("filterResample() filters, then halves or doubles, as a strided convolution and its transpose", async () => {
  const gpu = await testGpu();
  for (const one of CASES) {
    const x = operand(one.shape, 5);
    const { shape, y, dy, grads } = await differentiate(
      gpu,
      [x],
      ([input]) => filterResample(input!, one),
    );
    const [n, h, w, c] = one.shape;
    const rows = matrix(h, one), columns = matrix(w, one);
    assertEquals(shape, [n, rows.length, columns.length, c]);
    assertAllClose(y, apply(x.values, one.shape, rows, columns), { rtol: 1e-6, atol: 1e-6 });
    const outputs = [n, rows.length, columns.length, c] as const;
    assertAllClose(
      grads[0]!,
      apply(dy, outputs, transposed(rows), transposed(columns)),
      { rtol: 1e-6, atol: 1e-6 },
    );
  }
});

Deno.test("filterResampleForward() refuses a filter without a sum, and an image that it leaves nothing of", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const x = randomTensor(gpu, [1, 2, 2, 1]);
  assertThrows(
    () => filterResampleForward(capture, x, { taps: [1, -1], way: "down" }),
    RangeError,
    "the filter must not sum to 0",
  );
  assertThrows(
    () => filterResampleForward(capture, x, { taps: [1, 1, 1, 1], way: "down", pad: 0 }),
    RangeError,
    "the filter must leave pixels of 2 x 2",
  );
});
