import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { assertAllClose } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { differentiate } from "../../support/gradients.ts";

Deno.test("fourierFeatures() and its gradient match the f64 formula, for large angles too", async () => {
  const numbers = Float32Array.of(0, 0.25, -1.125, 3, 700);
  const frequencies = Float32Array.of(0.125, -0.37, 1.5, 2.75);
  const gpu = await testGpu();
  const { y, dy, grads } = await differentiate(
    gpu,
    [{ shape: [4], values: frequencies }],
    ([w], graph) => fourierFeatures(graph.constant(upload(gpu, [5], numbers)), w!),
  );
  const angle = (n: number, i: number) => 2 * Math.PI * (numbers[n]! * frequencies[i]! % 1);
  const expected = numbers.reduce<number[]>((all, _, n) => [
    ...all,
    ...Array.from(frequencies, (_, i) => Math.sin(angle(n, i))),
    ...Array.from(frequencies, (_, i) => Math.cos(angle(n, i))),
  ], []);
  assertAllClose(y, expected, { rtol: 0, atol: 3e-7 });
  const gradient = Array.from(
    frequencies,
    (_, i) =>
      numbers.reduce((sum, t, n) =>
        sum + 2 * Math.PI * t *
          (dy[8 * n + i]! * Math.cos(angle(n, i)) - dy[8 * n + 4 + i]! * Math.sin(angle(n, i))), 0),
  );
  assertAllClose(grads[0]!, gradient, { rtol: 2e-6, atol: 1e-5 });
});
