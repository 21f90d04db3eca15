import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { batchNormEval } from "../../../autograd/ops/batch_norm.ts";
import { batchNormReference } from "../../reference/batch_norm.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertRejects } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const EPS = 1e-3;

const statistics = (channels: number) => ({
  mean: randomValues(channels, 5, 0.5),
  variance: randomValues(channels, 6).map((value) => 0.1 + value * value),
});

for (const shape of [[1, 1], [7, 3], [2, 5, 3, 6], [3, 5, 7, 8], [1, 67, 2, 4]]) {
  Deno.test(`batchNormEval() matches the f64 loops for [${shape}]`, async () => {
    const gpu = await testGpu();
    const channels = shape.at(-1)!;
    const { mean, variance } = statistics(channels);
    const operands = [operand(shape, 1, 2), operand([channels], 2), operand([channels], 3)];
    const out = await differentiate(gpu, operands, ([x, weight, bias], graph) =>
      batchNormEval(x!, {
        weight: weight!,
        bias: bias!,
        mean: graph.constant(upload(gpu, [channels], mean)),
        variance: graph.constant(upload(gpu, [channels], variance)),
        eps: EPS,
      }));
    const values = operands.map((operand) => operand.values);
    const reference = (inputs: ArrayLike<number>[]) =>
      batchNormReference([...inputs, mean, variance], EPS);
    assertEquals(out.shape, shape);
    assertAllClose(out.y, reference(values), { name: "y" });
    ["dx", "dweight", "dbias"].forEach((name, which) =>
      assertAllClose(out.grads[which]!, finiteDifference(reference, values, which, out.dy), {
        name,
        rtol: 1e-5,
        atol: 1e-5,
      })
    );
  });
}

Deno.test("batchNormEval() refuses vectors of another length and a negative eps", async () => {
  const gpu = await testGpu();
  const attempt = (length: number, eps: number) => () =>
    differentiate(gpu, [operand([2, 3])], ([x]: Tensor[], graph: Graph) => {
      const vector = (size: number) => graph.constant(upload(gpu, [size], new Float32Array(size)));
      const args = { weight: vector(3), bias: vector(3), mean: vector(length) };
      return batchNormEval(x!, { ...args, variance: vector(3), eps });
    });
  await assertRejects(attempt(2, EPS), RangeError, "mean must have one value");
  await assertRejects(attempt(3, -1), RangeError, "eps must be at least 0");
});
