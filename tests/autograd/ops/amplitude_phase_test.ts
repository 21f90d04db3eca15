import { amplitudePhase } from "../../../autograd/ops/amplitude_phase.ts";
import { Capture } from "../../../device/capture.ts";
import { amplitudePhaseForward } from "../../../kernels/fft/amplitude_phase.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { randomTensor, testGpu, upload } from "../../support/gpu.ts";

function reference(z: ArrayLike<number>, y: ArrayLike<number>): number[] {
  return Array.from({ length: z.length / 2 }, (_, i) => {
    const [a, b, c, d] = [z[2 * i]!, z[2 * i + 1]!, y[2 * i]!, y[2 * i + 1]!];
    const turn = Math.abs(Math.atan2(b, a) - Math.atan2(d, c));
    const phi = Math.min(turn, 2 * Math.PI - turn);
    return Math.abs(Math.hypot(a, b) - Math.hypot(c, d)) * (1 + phi);
  });
}

for (const [count, scale] of [[1, 1], [37, 1e-6], [256, 3]] as const) {
  Deno.test(`amplitudePhase() of ${count} numbers of size ${scale} and its gradient match f64`, async () => {
    const gpu = await testGpu();
    const z = operand([count, 2], 3, scale), y = operand([count, 2], 8, scale);
    const { y: found, dy, grads } = await differentiate(
      gpu,
      [z],
      ([z], graph) => amplitudePhase(z!, graph.constant(upload(gpu, [count, 2], y.values))),
    );
    // Amplitudes near each other cancel.
    assertAllClose(found, reference(z.values, y.values), { atol: 1e-6 * scale });
    const slopes = finiteDifference(
      ([z]) => reference(z!, y.values),
      [z.values],
      0,
      dy,
      1e-6 * scale,
    );
    assertAllClose(grads[0]!, slopes, { rtol: 1e-4, atol: 1e-4, name: "dz" });
  });
}

Deno.test("amplitudePhase() takes opposite, right and equal phases, and zeros", async () => {
  const gpu = await testGpu();
  const z = [3, 0, 0, 2, -1, 0, 0, 0, 1, 1, 0, -2], y = [-1, 0, 1, 0, -2, 0, 1, 0, 0, 0, 0, 5];
  const { y: found, grads } = await differentiate(
    gpu,
    [{ shape: [6, 2], values: z }],
    ([z], graph) => amplitudePhase(z!, graph.constant(upload(gpu, [6, 2], y))),
  );
  const expected = [2 * (1 + Math.PI), 1 + Math.PI / 2, 1, 1, Math.SQRT2, 3 * (1 + Math.PI)];
  assertAllClose(found, expected);
  assertAllClose(grads[0]!.slice(6, 8), [0, 0], { atol: 0 });
  assertEquals(grads[0]!.every(Number.isFinite), true);
});

Deno.test("amplitudePhaseForward() refuses numbers that are not complex", async () => {
  const gpu = await testGpu();
  assertThrows(
    () =>
      amplitudePhaseForward(
        new Capture(gpu, "test"),
        randomTensor(gpu, [4, 2]),
        randomTensor(gpu, [2, 4]),
      ),
    RangeError,
    "Cannot compare amplitudes",
  );
});
