import { Graph } from "../../../autograd/graph.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { conv2d, pointwiseConvs } from "../../../autograd/ops/conv2d.ts";
import { linear } from "../../../autograd/ops/matmul.ts";
import { parallelLinear } from "../../../autograd/ops/parallel_linear.ts";
import { slice } from "../../../device/tensor.ts";
import { Capture } from "../../../device/capture.ts";
import { PORTABLE_FAMILIES, setVariantPolicy } from "../../../kernels/shared/variants.ts";
import { matmulReference } from "../../reference/matmul.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues, restorePolicy, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, type Operand, operand } from "../../support/gradients.ts";

/** Sizes that share no divisor, that share one, and those of a U-Net. */
const CASES = [
  { n: 3, k: 5, widths: [1] },
  { n: 7, k: 13, widths: [3, 5, 2] },
  { n: 5, k: 12, widths: [8, 12, 4] },
  { n: 32, k: 64, widths: [16, 32, 32, 64, 16] },
  { n: 9, k: 128, widths: [128, 256, 128] },
];

for (const { n, k, widths } of CASES) {
  for (const forced of PORTABLE_FAMILIES) {
    Deno.test(`parallelLinear() of [${n}, ${k}] to ${widths} columns and its gradients match f64 sums, ${forced}`, async () => {
      const gpu = await testGpu();
      const x = operand([n, k], 1);
      const layers = widths.flatMap((width, i): Operand[] => [
        operand([k, width], 10 + i),
        operand([width], 20 + i),
      ]);
      try {
        setVariantPolicy(gpu, { forced });
        const { y, dy, grads } = await differentiate(
          gpu,
          [x, ...layers],
          ([x, ...rest]) =>
            parallelLinear(
              x!,
              widths.map((_, i) => ({ weight: rest[2 * i]!, bias: rest[2 * i + 1]! })),
            ),
        );
        check(y, dy, grads);
      } finally {
        restorePolicy(gpu);
      }

      function check(y: Float32Array, dy: Float32Array, grads: Float32Array[]) {
        const total = widths.reduce((a, b) => a + b);
        const dx = new Float64Array(n * k);
        let column = 0;
        widths.forEach((width, i) => {
          const [w, b] = [layers[2 * i]!.values, layers[2 * i + 1]!.values];
          const columns = (values: Float32Array) =>
            Float32Array.from(
              { length: n * width },
              (_, e) => values[Math.floor(e / width) * total + column + e % width]!,
            );
          const own = columns(dy);
          const product = matmulReference(
            n,
            width,
            k,
            (r, l) => x.values[r * k + l]!,
            (l, j) => w[l * width + j]!,
          );
          const budget = { rtol: 1e-5, atol: 2e-5 };
          const name = `of layer ${i}`;
          assertAllClose(columns(y), product.map((v, e) => v + b[e % width]!), {
            ...budget,
            name: `y ${name}`,
          });
          const dw = matmulReference(
            k,
            width,
            n,
            (r, l) => x.values[l * k + r]!,
            (l, j) => own[l * width + j]!,
          );
          assertAllClose(grads[1 + 2 * i]!, dw, { ...budget, name: `dw ${name}` });
          const db = new Float64Array(width);
          own.forEach((v, e) => db[e % width]! += v);
          assertAllClose(grads[2 + 2 * i]!, db, { ...budget, name: `db ${name}` });
          matmulReference(
            n,
            k,
            width,
            (r, l) => own[r * width + l]!,
            (l, j) => w[j * width + l]!,
          ).forEach((v, e) => dx[e]! += v);
          column += width;
        });
        assertAllClose(grads[0]!, dx, { rtol: 1e-5, atol: 5e-5, name: "dx" });
      }
    });
  }
}

Deno.test("parallelLinear() takes one dispatch for weights in one buffer, two for two", async () => {
  const gpu = await testGpu();
  const all = upload(gpu, [2048], randomValues(2048, 1));
  const apart = upload(gpu, [2048], randomValues(2048, 1));
  const count = (second: typeof all) => {
    const capture = new Capture(gpu, "test");
    const graph = new Graph(capture);
    const layer = (at: number, from: typeof all) => ({
      weight: graph.constant(slice(from, at, [8, 64])),
      bias: graph.constant(slice(from, at + 512, [64])),
    });
    parallelLinear(graph.constant(upload(gpu, [2, 8], randomValues(16))), [
      layer(0, all),
      layer(1024, second),
    ]);
    return capture.dispatches.length;
  };
  assertEquals([count(all), count(apart)], [1, 2]);
});

Deno.test("conv2d() takes its columns of a wider matrix, and gradients of all columns come together", async () => {
  const gpu = await testGpu();
  for (const [widths, unused] of [[[8, 4], 4], [[3, 5], 1]] as const) {
    const total = widths[0] + widths[1] + unused;
    const operands = [
      operand([2, 5, 4, 4], 1),
      operand([3, 3, 4, widths[0]], 2),
      operand([3, 3, 4, widths[1]], 3),
      operand([2, total], 4),
    ];
    const padding: [number, number] = [1, 1];
    const run = (wide: boolean) =>
      differentiate(gpu, operands, ([x, first, second, time]) => {
        const part = (start: number, width: number) => {
          if (wide) return { perImage: time!, perImageStart: start };
          // A product with columns of the identity picks columns.
          const pick = new Float32Array(total * width);
          for (let i = 0; i < width; i++) pick[(start + i) * width + i] = 1;
          const picked = x!.graph.constant(upload(gpu, [total, width], pick));
          return { perImage: linear(time!, picked) };
        };
        const h = conv2d(x!, first!, { padding, ...part(0, widths[0]) });
        const g = conv2d(x!, second!, { padding, ...part(widths[0], widths[1]) });
        const last = x!.graph.constant(
          upload(gpu, [1, 1, widths[1], widths[0]], randomValues(widths[0] * widths[1], 6)),
        );
        return conv2d(g, last, { residual: h });
      });
    const [wide, narrow] = [await run(true), await run(false)];
    assertAllClose(wide.y, narrow.y, { rtol: 1e-5, atol: 1e-5 });
    wide.grads.forEach((grad, i) =>
      assertAllClose(grad, narrow.grads[i]!, { rtol: 1e-5, atol: 1e-4, name: `gradient ${i}` })
    );
    const beyond = wide.grads[3]!.filter((_, i) => i % total >= total - unused);
    assertEquals([...new Set(beyond)], [0]);
  }
});

Deno.test("parallelLinear() refuses a weight of another input", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture);
  const zeros = (shape: number[]) => graph.constant(gpu.tensor(shape));
  assertThrows(
    () => parallelLinear(zeros([2, 8]), [{ weight: zeros([4, 8]), bias: zeros([8]) }]),
    RangeError,
    "weights must be [8, out] and biases [out], got [4, 8] and [8]",
  );
});

for (const side of [8, 3]) {
  Deno.test(`pointwiseConvs() of ${side}x${side} pixels and their gradients are those of one by one`, async () => {
    const gpu = await testGpu();
    const widths = [16, 32, 16], ci = 12;
    const operands = [
      operand([2, side, side, ci], 1),
      ...widths.flatMap((co, i) => [operand([1, 1, ci, co], 2 + i), operand([co], 5 + i)]),
    ];
    const run = (together: boolean) =>
      differentiate(gpu, operands, ([x, ...rest]) => {
        const layers = widths.map((_, i) => ({ weight: rest[2 * i]!, bias: rest[2 * i + 1]! }));
        const outputs = together
          ? pointwiseConvs(x!, layers)
          : layers.map(({ weight, bias }) => conv2d(x!, weight, { bias }));
        return outputs.reduce((all, output) => concat(all, output));
      });
    const [together, apart] = [await run(true), await run(false)];
    assertAllClose(together.y, apart.y, { rtol: 1e-6, atol: 1e-6 });
    together.grads.forEach((grad, i) =>
      assertAllClose(grad, apart.grads[i]!, { rtol: 1e-5, atol: 1e-5, name: `gradient ${i}` })
    );
  });
}
