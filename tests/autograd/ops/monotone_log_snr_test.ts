import { monotoneLogSnr } from "../../../autograd/ops/monotone_log_snr.ts";
import { monotoneSize } from "../../../kernels/process/monotone_log_snr.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { compute, randomTensor, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate } from "../../support/gradients.ts";

const LINE = { start: 9.2, slope: -19.2 };

/** The same as it is written down in the paper's way, in f64. */
function reference(parameters: Float64Array, times: readonly number[]): number[] {
  const hidden = (parameters.length - 3) / 3, [w = 0, v = 0, ...rest] = parameters.map(Math.abs);
  const net = (time: number) => {
    const u = w * time + v;
    let sum = u + rest.at(-1)!;
    for (let j = 0; j < hidden; j++) {
      sum += rest[2 * hidden + j]! / (1 + Math.exp(-rest[j]! * u - rest[hidden + j]!));
    }
    return sum;
  };
  return times.map((time) => LINE.start + LINE.slope * (net(time) - net(0)) / (net(1) - net(0)));
}

for (
  const [hidden, count, scale] of [[1, 1, 1], [3, 5, 2], [300, 7, 0.6], [1025, 3, 0.3]] as const
) {
  Deno.test(`monotoneLogSnr() and its gradient match f64 with ${hidden} hidden units at ${count} times`, async () => {
    const size = monotoneSize(hidden), gpu = await testGpu();
    const times = Array.from({ length: count }, (_, i) => Math.fround((i + 0.3) / count));
    await checkGradients({
      operands: [{ shape: [1, size], values: randomValues(size, hidden, scale) }],
      op: ([p]) => monotoneLogSnr(p!, upload(gpu, [count], times), { ...LINE, gradientShare: 1 }),
      reference: ([p]) => reference(p!, times),
      // Of many units' sum the gradient in w is what is left of parts a hundred times as large.
      atol: 2e-5,
    });
  });
}

Deno.test("monotoneLogSnr() is at its ends to the last bit but one, and takes a share of the gradient", async () => {
  const gpu = await testGpu(), size = monotoneSize(9);
  const operand = { shape: [1, size], values: randomValues(size, 5) };
  const of = async (gradientShare: number) =>
    await differentiate(
      gpu,
      [operand],
      ([p]) => monotoneLogSnr(p!, upload(gpu, [3], [0, 0.4, 1]), { ...LINE, gradientShare }),
    );
  const whole = await of(1), some = await of(0.25);
  assertAllClose([whole.y[0]!, whole.y[2]!], [9.2, -10], { rtol: 2e-7, atol: 0 });
  assertEquals([...some.y], [...whole.y]);
  assertAllClose(some.grads[0]!, whole.grads[0]!.map((value) => value / 4), { rtol: 1e-6 });
});

Deno.test("monotoneLogSnr() refuses parameters of no network", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const p = randomTensor(gpu, [1, 8]), times = randomTensor(gpu, [2]);
    const tensor = { graph: { capture }, ref: p } as unknown as Parameters<
      typeof monotoneLogSnr
    >[0];
    assertThrows(
      () => monotoneLogSnr(tensor, times, { ...LINE, gradientShare: 1 }),
      RangeError,
      "3 H + 3 parameters, got 8",
    );
    return { p };
  });
});
