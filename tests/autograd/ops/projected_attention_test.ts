import { Graph, type Recompute } from "../../../autograd/graph.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { projectedAttention } from "../../../autograd/ops/projected_attention.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { Capture } from "../../../device/capture.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly co: number;
  readonly heads: number;
}

/** Values and gradients, by the op or by its parts. */
async function run({ shape, co, heads }: Case, whole: boolean, recompute: Recompute = false) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { recompute });
  const [n, h, w, ci] = shape;
  const parameters = [0, 1, 2].flatMap(() => [[1, 1, ci, co], [co]]);
  const inputs = [shape, ...parameters].map((shape, i) =>
    graph.variable(upload(gpu, shape, randomValues(sizeOf(shape), i + 1, i > 0 ? 0.3 : 1)))
  );
  const [given, ...rest] = inputs;
  const layers = [0, 1, 2].map((i) => ({ weight: rest[2 * i]!, bias: rest[2 * i + 1]! }));
  const x = scale(given!, 1);
  const y = graph.checkpoint(() => {
    if (whole) return projectedAttention(x, layers, { heads });
    const [q, k, v] = layers.map(({ weight, bias }) =>
      reshape(conv2d(x, weight, { bias }), [n, h * w, co])
    );
    return reshape(attention(q!, k!, v!, { heads }), [n, h, w, co]);
  });
  const grads = graph.backward(y, upload(gpu, y.shape, randomValues(sizeOf(y.shape), 77)));
  const refs = [y.ref, ...inputs.map((input) => grads.get(input)!)];
  for (const ref of refs) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const values: Float32Array[] = [];
  for (const ref of refs) values.push(await program.readF32(ref));
  program.destroy();
  const names = capture.dispatches.map(({ kernel }) => kernel.name);
  return {
    values,
    names,
    weights: names.filter((name) => name.startsWith("conv2d.weight")).length,
  };
}

for (
  const given of [
    { shape: [2, 4, 4, 8], co: 8, heads: 1 },
    { shape: [1, 8, 4, 12], co: 16, heads: 2 },
    { shape: [2, 16, 16, 32], co: 32, heads: 4 },
    { shape: [1, 3, 3, 8], co: 4, heads: 1 }, // outputs that begin anywhere
  ] as const
) {
  Deno.test(`projectedAttention() of [${given.shape}] to ${given.co} channels has the gradients of its parts`, async () => {
    for (const recompute of [false, "blocks"] as const) {
      const parts = await run(given, false, recompute), whole = await run(given, true, recompute);
      whole.values.forEach((values, i) =>
        assertAllClose(values, parts.values[i]!, { rtol: 1e-5, atol: 2e-5, name: `result ${i}` })
      );
      const aligned = sizeOf(given.shape) / given.shape[3] * given.co % 64 === 0;
      assertEquals([parts.weights, whole.weights], [3, aligned ? 1 : 3]);
      if (aligned) assert(whole.names.length <= parts.names.length - 2);
    }
  });
}
