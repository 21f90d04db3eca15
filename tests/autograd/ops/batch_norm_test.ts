import { batchNormTrain } from "../../../autograd/ops/batch_norm.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { operand } from "../../support/gradients.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { Capture } from "../../../device/capture.ts";
import { Graph } from "../../../autograd/graph.ts";

for (const [n, h, w, c] of [[2, 3, 2, 5], [3, 1, 4, 8]] as const) {
  const places = n * h * w;
  const moments = (x: ArrayLike<number>, i: number) => {
    const own = Array.from({ length: places }, (_, k) => x[k * c + i % c]!);
    const mean = own.reduce((a, b) => a + b) / places;
    return { mean, variance: own.reduce((a, b) => a + (b - mean) ** 2, 0) / places };
  };

  Deno.test(`batchNormTrain() and its gradients match the f64 formula for [${n}, ${h}, ${w}, ${c}]`, async () => {
    const gpu = await testGpu();
    await checkGradients({
      operands: [operand([n, h, w, c], 1), operand([c], 2), operand([c], 3)],
      op: ([x, weight, bias], graph) => {
        const [mean, variance] = [0, 1].map((value) =>
          graph.constant(upload(gpu, [c], new Float32Array(c).fill(value)))
        );
        return batchNormTrain(x!, {
          ...{ weight: weight!, bias: bias! },
          mean: mean!,
          variance: variance!,
        });
      },
      reference: ([x, weight, bias]) =>
        x!.map((value, i) => {
          const { mean, variance } = moments(x!, i);
          return (value - mean) / Math.sqrt(variance + 1e-5) * weight![i % c]! + bias![i % c]!;
        }),
    });
  });

  Deno.test(`batchNormTrain() moves the statistics of training as PyTorch does for [${n}, ${h}, ${w}, ${c}]`, async () => {
    const gpu = await testGpu();
    const x = operand([n, h, w, c], 1);
    const [mean, variance] = [
      upload(gpu, [c], new Float32Array(c).fill(0.5)),
      upload(gpu, [c], new Float32Array(c).fill(2)),
    ];
    const capture = new Capture(gpu, "test"), graph = new Graph(capture, { training: true });
    const [weight, bias] = [1, 0].map((value) =>
      graph.constant(upload(gpu, [c], new Float32Array(c).fill(value)))
    );
    batchNormTrain(graph.constant(upload(gpu, x.shape, x.values)), {
      weight: weight!,
      bias: bias!,
      mean: graph.constant(mean),
      variance: graph.constant(variance),
    });
    const program = await capture.plan();
    program.run();
    const found = Array.from({ length: c }, (_, i) => moments(x.values, i));
    assertAllClose(await gpu.readF32(mean), found.map(({ mean }) => 0.9 * 0.5 + 0.1 * mean), {
      atol: 1e-6,
    });
    assertAllClose(
      await gpu.readF32(variance),
      found.map(({ variance }) => 0.9 * 2 + 0.1 * variance * places / (places - 1)),
      { rtol: 1e-5 },
    );
    program.destroy();
  });
}

Deno.test("batchNormTrain() refuses a single place, which has no variance", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "test"));
  const [x, ...rest] = [[1, 1, 1, 4], [4], [4], [4], [4]].map((shape) =>
    graph.constant(gpu.tensor(shape))
  );
  const [weight, bias, mean, variance] = rest;
  const args = { weight: weight!, bias: bias!, mean: mean!, variance: variance! };
  assertThrows(() => batchNormTrain(x!, args), RangeError, "at least 2 places");
});
