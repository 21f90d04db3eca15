import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { bmm, linear } from "../../../autograd/ops/matmul.ts";
import { conv2dShape } from "../../../kernels/conv2d/shape.ts";
import { conv2dReference } from "../../reference/conv2d.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { matmulReference } from "../../reference/matmul.ts";
import { assertAllClose, assertRejects } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { differentiate, type Operand, operand } from "../../support/gradients.ts";
import type { Graph, Tensor } from "../../../autograd/graph.ts";

/** Holds an op's value and every gradient to an f64 reference and its finite differences. */
async function check(
  operands: Operand[],
  fn: (inputs: Tensor[], graph: Graph) => Tensor,
  reference: (inputs: ArrayLike<number>[]) => ArrayLike<number>,
) {
  const { y, dy, grads } = await differentiate(await testGpu(), operands, fn);
  const values = operands.map(({ values }) => values);
  assertAllClose(y, reference(values), { atol: 2e-5, name: "y" });
  grads.forEach((grad, i) => {
    const expected = finiteDifference(reference, values, i, dy);
    assertAllClose(grad, expected, { atol: 1e-4, rtol: 1e-4, name: `gradient ${i}` });
  });
}

for (const [rows, k, n] of [[4, 7, 5], [6, 8, 12]] as const) {
  Deno.test(`linear() from ${k} to ${n} and its gradients match finite differences`, async () => {
    await check(
      [operand([2, rows / 2, k], 1), operand([k, n], 2), operand([n], 3)],
      ([x, weight, bias]) => linear(x!, weight!, bias!),
      ([x, weight, bias]) =>
        matmulReference(rows, n, k, (i, l) => x![i * k + l]!, (l, j) => weight![l * n + j]!)
          .map((v, i) => v + bias![i % n]!),
    );
  });
}

for (const transposeB of [false, true]) {
  Deno.test(`bmm() with transposeB ${transposeB} and its gradients match finite differences`, async () => {
    const [m, k, n] = [5, 4, 3];
    await check(
      [operand([2, m, k], 1), operand(transposeB ? [2, n, k] : [2, k, n], 2)],
      ([a, b]) => bmm(a!, b!, { transposeB }),
      ([a, b]) =>
        [0, 1].flatMap((batch) => [
          ...matmulReference(
            m,
            n,
            k,
            (i, l) => a![(batch * m + i) * k + l]!,
            (l, j) => b![batch * k * n + (transposeB ? j * k + l : l * n + j)]!,
          ),
        ]),
    );
  });
}

for (const [kernel, stride] of [[3, 1], [3, 2], [1, 1]] as const) {
  Deno.test(`conv2d() of ${kernel}x${kernel} with stride ${stride} passes gradients to all that it adds`, async () => {
    const xShape = [2, 4, 5, 4], co = 8;
    const side = (kernel - 1) / 2;
    const options = { stride, padding: [side, side] as [number, number] };
    const weight = operand([kernel, kernel, 4, co], 2);
    const shape = conv2dShape(xShape, { shape: weight.shape } as never, options);
    const { n, oh, ow } = shape;
    await check(
      [
        operand(xShape, 1),
        weight,
        operand([co], 3),
        operand([n, co], 4),
        operand([n, oh, ow, co], 5),
      ],
      ([x, weight, bias, perImage, residual]) =>
        conv2d(x!, weight!, { ...options, bias, perImage, residual }),
      ([x, weight, bias, perImage, residual]) =>
        conv2dReference(shape, x!, weight!).map((v, i) =>
          v + bias![i % co]! + perImage![Math.floor(i / (oh * ow * co)) * co + i % co]! +
          residual![i]!
        ),
    );
  });
}

Deno.test("linear() and bmm() refuse sizes that do not fit and show them", async () => {
  const gpu = await testGpu();
  const run = (fn: (inputs: Tensor[]) => Tensor, ...shapes: number[][]) =>
    differentiate(gpu, shapes.map((shape) => operand(shape)), fn);
  for (
    const attempt of [
      () => run(([x, w]) => linear(x!, w!), [2, 3], [4, 5]),
      () => run(([a, b]) => bmm(a!, b!), [2, 3, 4], [2, 5, 4]),
    ]
  ) {
    await assertRejects(attempt, RangeError, "must be");
  }
});
