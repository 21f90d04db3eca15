import { variationalBound } from "../../../autograd/ops/variational_bound.ts";
import { type BoundRow, boundTable } from "../../../kernels/process/variational_bound.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate } from "../../support/gradients.ts";

const ROWS: readonly BoundRow[] = [
  { meanFromX0: 1, posterior: 0, middle: -5, half: 1.5, last: true },
  { meanFromX0: 0.8, posterior: -4, middle: -3, half: 1, last: false },
  { meanFromX0: 0.1, posterior: -2, middle: 0, half: 1, last: false },
];

/** The normal distribution's tanh form, from the smaller side: F(x) for x below 0 keeps its digits. */
const distribution = (x: number) =>
  1 / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** A term in f64, as the authors' code has it. */
function term(x0: number, clean: number, v: number, row: BoundRow): number {
  const l = row.middle + row.half * v, d = row.meanFromX0 * (x0 - clean);
  if (!row.last) {
    return 0.5 * (l - row.posterior - 1 + Math.exp(row.posterior - l) + d * d * Math.exp(-l));
  }
  const above = (d + 1 / 255) * Math.exp(-l / 2), below = (d - 1 / 255) * Math.exp(-l / 2);
  const chance = x0 < -0.999
    ? distribution(above)
    : x0 > 0.999
    ? distribution(-below)
    : d > 0
    ? distribution(-below) - distribution(-above)
    : distribution(above) - distribution(below);
  return -Math.log(Math.max(chance, 1e-15));
}

/** Terms and gradients by the GPU and in f64. */
async function compare(
  x0: ArrayLike<number>,
  clean: ArrayLike<number>,
  v: ArrayLike<number>,
  timesteps: readonly number[],
) {
  const gpu = await testGpu();
  const shape = [timesteps.length, x0.length / timesteps.length, 1];
  const table = boundTable(ROWS);
  const given = {
    ...{ x0: upload(gpu, shape, x0), clean: upload(gpu, shape, clean) },
    timesteps: gpu.tensor([timesteps.length], { dtype: "u32", data: Uint32Array.from(timesteps) }),
    table: upload(gpu, [table.length], table),
  };
  const { y, dy, grads } = await differentiate(
    gpu,
    [{ shape, values: v }],
    ([v]) => variationalBound(v!, given),
  );
  const at = (i: number, step = 0) =>
    term(
      Math.fround(x0[i]!),
      Math.fround(clean[i]!),
      Math.fround(v[i]!) + step,
      ROWS[timesteps[Math.floor(i / shape[1]!)]!]!,
    );
  const values = Array.from(x0, (_, i) => at(i));
  const slopes = values.map((_, i) => dy[i]! * (at(i, 1e-5) - at(i, -1e-5)) / 2e-5);
  return { y, values, grad: grads[0]!, slopes };
}

Deno.test("variationalBound() and its gradient match f64, at the image and before it", async () => {
  const timesteps = [0, 1, 2, 0, 1], count = timesteps.length * 7;
  const x0 = randomValues(count, 1, 0.5).map((x) => Math.max(-0.99, Math.min(0.99, x)));
  const noise = randomValues(count, 2, 0.1);
  const { y, values, grad, slopes } = await compare(
    x0,
    x0.map((x, i) => x + noise[i]!),
    randomValues(count, 3),
    timesteps,
  );
  assertAllClose(y, values, { rtol: 2e-5, atol: 2e-5 });
  assertAllClose(grad, slopes, { rtol: 2e-4, atol: 2e-4 });
});

Deno.test("variationalBound() opens the outermost bins, and ends where the image is impossible", async () => {
  const x0 = [-1, -1, 1, 1, 0.2, -0.3, 0.5], clean = [-0.95, -1.2, 0.9, 1.3, -0.8, 0.9, 0.5];
  const { y, values, grad, slopes } = await compare(x0, clean, [0, 1, 0.5, -0.7, -1, -2, 1], [0]);
  assertAllClose(y, values, { rtol: 2e-5, atol: 2e-5 });
  assertAllClose(grad, slopes, { rtol: 2e-4, atol: 2e-4 });
  assertAllClose(y.subarray(4, 6), [-Math.log(1e-15), -Math.log(1e-15)]);
});

Deno.test("variationalBound() refuses unequal shapes", async () => {
  const gpu = await testGpu(), table = boundTable(ROWS);
  await differentiate(gpu, [{ shape: [2, 3], values: new Float32Array(6) }], ([v]) => {
    const images = (shape: readonly number[]) => ({
      ...{
        x0: upload(gpu, shape, new Float32Array(6)),
        clean: upload(gpu, [2, 3], new Float32Array(6)),
      },
      timesteps: gpu.tensor([2], { dtype: "u32", data: Uint32Array.of(0, 1) }),
      table: upload(gpu, [table.length], table),
    });
    assertThrows(() => variationalBound(v!, images([3, 2])), RangeError, "[3, 2]");
    return variationalBound(v!, images([2, 3]));
  });
});
