import {
  huberLoss,
  l1Loss,
  meanLoss,
  mseLoss,
  smoothL1Loss,
} from "../../../autograd/ops/losses.ts";
import type { Tensor } from "../../../autograd/graph.ts";
import { lossForward } from "../../../kernels/reduce/losses.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

type Op = (a: Tensor, b: Tensor, options: { perSample: boolean }) => Tensor;

const huber = (delta: number) => (d: number) =>
  Math.abs(d) <= delta ? 0.5 * d * d : delta * (Math.abs(d) - 0.5 * delta);
const smoothL1 = (beta: number) => (d: number) =>
  Math.abs(d) < beta ? 0.5 * d * d / beta : Math.abs(d) - 0.5 * beta;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const bce = (a: number, y: number) => Math.max(a, 0) - a * y + Math.log1p(Math.exp(-Math.abs(a)));

const LOSSES: [string, Op, (d: number, a: number, b: number) => number][] = [
  ["mseLoss", mseLoss, (d) => d * d],
  ["l1Loss", l1Loss, Math.abs],
  ["huberLoss", huberLoss, huber(1)],
  ["huberLoss with delta 0.5", (a, b, o) => huberLoss(a, b, { delta: 0.5, ...o }), huber(0.5)],
  ["smoothL1Loss", smoothL1Loss, smoothL1(1)],
  [
    "smoothL1Loss with beta 0.3",
    (a, b, o) => smoothL1Loss(a, b, { beta: 0.3, ...o }),
    smoothL1(0.3),
  ],
  [
    "meanLoss of pseudo-huber",
    (a, b, o) => meanLoss(a, b, { kind: "pseudo-huber", turn: 0.2, ...o }),
    (d) => Math.sqrt(d * d + 0.04) - 0.2,
  ],
  [
    "meanLoss of laplace-nll",
    (a, b, o) => meanLoss(a, b, { kind: "laplace-nll", turn: 0.7, ...o }),
    (d) => Math.log(1.4) + Math.abs(d) / 0.7,
  ],
  ["meanLoss of bce", (a, b, o) => meanLoss(a, b, { kind: "bce", ...o }), (_, a, b) => bce(a, b)],
  [
    "meanLoss of sigmoid-bce",
    (a, b, o) => meanLoss(a, b, { kind: "sigmoid-bce", ...o }),
    (_, a, b) => bce(a, sigmoid(b)),
  ],
  ["smoothL1Loss with beta 0", (a, b, o) => smoothL1Loss(a, b, { beta: 0, ...o }), Math.abs],
];

for (const [name, op, f] of LOSSES) {
  for (const shape of [[1], [2, 3, 5], [3, 4, 4, 4]]) {
    for (const perSample of [false, true]) {
      Deno.test(`${name}() and its gradients match f64 for [${shape}], perSample ${perSample}`, async () => {
        const operands = [operand(shape, 3), operand(shape, 4)];
        const out = await differentiate(
          await testGpu(),
          operands,
          ([a, b]) => op(a!, b!, { perSample }),
        );
        const rows = perSample ? shape[0]! : 1;
        const reference = ([a, b]: ArrayLike<number>[]) => {
          const means = new Float64Array(rows);
          const length = a!.length / rows;
          for (let i = 0; i < a!.length; i++) {
            means[Math.floor(i / length)]! += f(a![i]! - b![i]!, a![i]!, b![i]!) / length;
          }
          return means;
        };
        const values = operands.map((o) => o.values);
        assertEquals(out.shape, perSample ? shape.slice(0, 1) : []);
        assertAllClose(out.y, reference(values), { name: "loss" });
        out.grads.forEach((grad, i) =>
          assertAllClose(grad, finiteDifference(reference, values, i, out.dy, 1e-6), {
            name: `gradient ${i}`,
            atol: 1e-6,
          })
        );
      });
    }
  }
}

Deno.test("l1Loss() has no gradient where operands are equal", async () => {
  const x = { shape: [4], values: [1, 2, 3, 4] };
  const out = await differentiate(await testGpu(), [x, x], ([a, b]) => l1Loss(a!, b!));
  assertEquals([...out.grads[0]!], [0, 0, 0, 0]);
});

Deno.test("lossForward() refuses unequal shapes and turning points out of range", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const a = upload(gpu, [4], [1, 2, 3, 4]);
    const b = upload(gpu, [2], [1, 2]);
    assertThrows(() => lossForward(capture, a, b, { kind: "mse" }), RangeError, "[4] and [2]");
    assertThrows(
      () => lossForward(capture, a, a, { kind: "huber", turn: 0 }),
      RangeError,
      "above 0, got 0",
    );
    assertThrows(
      () => lossForward(capture, a, a, { kind: "smooth-l1", turn: -1 }),
      RangeError,
      "at least 0, got -1",
    );
    return { y: lossForward(capture, a, a, { kind: "mse" }) };
  });
});
