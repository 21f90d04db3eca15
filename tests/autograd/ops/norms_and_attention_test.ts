import type { Capture } from "../../../device/capture.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { Graph, type Tensor } from "../../../autograd/graph.ts";
import { attention } from "../../../autograd/ops/attention.ts";
import { gelu } from "../../../autograd/ops/gelu.ts";
import { groupNorm } from "../../../autograd/ops/group_norm.ts";
import { layerNorm } from "../../../autograd/ops/layer_norm.ts";
import { softmax } from "../../../autograd/ops/softmax.ts";
import { attentionReference } from "../../reference/attention.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { geluReference } from "../../reference/gelu.ts";
import { normaliseReference } from "../../reference/normalise.ts";
import { softmaxReference } from "../../reference/softmax.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

interface OpCase {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly apply: (...inputs: Tensor[]) => Tensor;
  /** The op in f64, over flat inputs. */
  readonly reference: (inputs: Float64Array[]) => Float64Array;
}

const norm =
  (images: number, pixels: number, channels: number, groups: number, silu: boolean) =>
  ([x, weight, bias]: Float64Array[]) =>
    normaliseReference({
      x: x!,
      dy: x!,
      weight: weight!,
      bias: bias!,
      images,
      pixels,
      channels,
      groups,
      eps: 1e-5,
      silu,
    }).y;

const attend =
  (sizes: { queries: number; keys: number; heads: number; depth: number }) =>
  ([q, k, v]: Float64Array[]) =>
    attentionReference({
      q: q!,
      k: k!,
      v: v!,
      dy: q!,
      batch: 2,
      ...sizes,
      scale: 1 / Math.sqrt(sizes.depth),
    }).y;

const CASES: readonly OpCase[] = [
  {
    name: "groupNorm()",
    shapes: [[2, 3, 2, 6], [6], [6]],
    apply: (x, weight, bias) => groupNorm(x, weight!, bias!, { groups: 2 }),
    reference: norm(2, 6, 6, 2, false),
  },
  {
    name: "groupNorm() with SiLU",
    shapes: [[2, 2, 3, 8], [8], [8]],
    apply: (x, weight, bias) => groupNorm(x, weight!, bias!, { groups: 4, silu: true }),
    reference: norm(2, 6, 8, 4, true),
  },
  {
    name: "layerNorm()",
    shapes: [[3, 5, 8], [8], [8]],
    apply: (x, weight, bias) => layerNorm(x, weight!, bias!),
    reference: norm(15, 1, 8, 1, false),
  },
  {
    name: "softmax()",
    shapes: [[2, 3, 5]],
    apply: (x) => softmax(x, { scale: 0.5 }),
    reference: ([x]) => softmaxReference(x!, 5, 0.5),
  },
  {
    name: "gelu()",
    shapes: [[3, 4]],
    apply: (x) => gelu(x),
    reference: ([x]) => x!.map((v) => geluReference(v, "none")),
  },
  {
    name: "gelu() in its tanh form",
    shapes: [[3, 5]],
    apply: (x) => gelu(x, { approximate: "tanh" }),
    reference: ([x]) => x!.map((v) => geluReference(v, "tanh")),
  },
  {
    name: "attention()",
    shapes: [[2, 3, 8], [2, 5, 8], [2, 5, 8]],
    apply: (q, k, v) => attention(q, k!, v!, { heads: 2 }),
    reference: attend({ queries: 3, keys: 5, heads: 2, depth: 4 }),
  },
];

for (const { name, shapes, apply, reference } of CASES) {
  Deno.test(`${name} has the gradients of finite differences, together and one by one`, async () => {
    const gpu = await testGpu();
    const values = shapes.map((shape, i) => randomValues(shape.reduce((a, b) => a * b, 1), i + 1));
    const inputs = values.map((data) => Float64Array.from(data));
    const expected = reference(inputs);
    const dy = randomValues(expected.length, 9);
    const all = shapes.map((_, i) => i);
    for (const wanted of [all, ...all.map((i) => [i])]) {
      const results = await compute<string>(gpu, (capture) => {
        const { y, grads } = differentiate(capture, wanted);
        return { y, ...grads };
      });
      assertAllClose(results.y!, expected, { rtol: 1e-5, atol: 3e-6 });
      assertEquals(Object.keys(results).length, wanted.length + 1);
      for (const i of wanted) {
        const slopes = finiteDifference(reference, inputs, i, dy);
        assertAllClose(results[`grad${i}`]!, slopes, { rtol: 1e-4, atol: 2e-5, name: `grad${i}` });
      }
    }

    function differentiate(capture: Capture, wanted: readonly number[]) {
      const graph = new Graph(capture);
      const tensors = shapes.map((shape, i) => {
        const ref = upload(gpu, shape, values[i]!);
        return wanted.includes(i) ? graph.variable(ref) : graph.constant(ref);
      });
      const [first, ...others] = tensors;
      const y = apply(first!, ...others);
      const found = graph.backward(y, upload(gpu, y.shape, dy));
      const grads: Record<string, TensorRef> = {};
      for (const [tensor, grad] of found) grads[`grad${tensors.indexOf(tensor)}`] = grad;
      return { y: y.ref, grads };
    }
  });
}

Deno.test("attention() of one tensor with itself adds its three gradients", async () => {
  const gpu = await testGpu();
  const data = randomValues(24, 3), dy = randomValues(24, 4);
  const { grad } = await compute(gpu, (capture) => {
    const graph = new Graph(capture);
    const x = graph.variable(upload(gpu, [2, 3, 4], data));
    const y = attention(x, x, x);
    return { grad: graph.backward(y, upload(gpu, [2, 3, 4], dy)).get(x)! };
  });
  const self = attend({ queries: 3, keys: 3, heads: 1, depth: 4 });
  const slopes = finiteDifference(([x]) => self([x!, x!, x!]), [data], 0, dy);
  assertAllClose(grad, slopes, { rtol: 1e-4, atol: 1e-5 });
});
