import { Capture } from "../../../device/capture.ts";
import {
  ADAM_SCALARS,
  adamScalars,
  adamStep,
  biasCorrection,
} from "../../../kernels/optim/adam.ts";
import { adamReference } from "../../reference/adam.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

const CASES = [
  { decoupled: false, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 },
  { decoupled: false, betas: [0.8, 0.99], eps: 1e-3, weightDecay: 0.1 },
  { decoupled: true, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 },
] as const;

for (const options of CASES) {
  for (const count of [1, 51, 256]) {
    Deno.test(`adamStep() follows f64 for ${count} elements, ${JSON.stringify(options)}`, async () => {
      const gpu = await testGpu();
      const start = randomValues(count, 1);
      const param = upload(gpu, [count], start), ema = upload(gpu, [count], start);
      const [grad, m, v] = [gpu.tensor([count]), gpu.tensor([count]), gpu.tensor([count])];
      const capture = new Capture(gpu, "test");
      const scalars = capture.input("scalars", [ADAM_SCALARS]);
      const clip = capture.input("clip", [1]);
      adamStep(capture, { param, grad, m, v, ema }, scalars, clip, options);
      const program = await capture.plan();
      const lr = 0.01, emaDecay = 0.9;
      const state = {
        param: Float64Array.from(start),
        m: new Float64Array(count),
        v: new Float64Array(count),
      };
      const average = Float64Array.from(start);
      for (let step = 1; step <= 4; step++) {
        const g = randomValues(count, 10 + step);
        gpu.write(grad, g);
        program.run({ scalars: adamScalars(options, { step, lr, emaDecay }), clip: [0.5] });
        adamReference(state, g.map((value) => 0.5 * value), step, { ...options, lr });
        average.forEach((value, i) => average[i] = emaDecay * value + 0.1 * state.param[i]!);
      }
      assertAllClose(await gpu.readF32(param), state.param, { name: "param" });
      assertAllClose(await gpu.readF32(m), state.m, { name: "m" });
      assertAllClose(await gpu.readF32(v), state.v, { name: "v" });
      assertAllClose(await gpu.readF32(ema), average, { name: "ema" });
      program.destroy();
    });
  }
}

Deno.test("adamStep() without an average leaves padding of zeros alone", async () => {
  const gpu = await testGpu();
  const [param, grad, m, v] = [0, 1, 2, 3].map(() => upload(gpu, [4], [0, 0, 0, 0]));
  await compute(gpu, (capture) => {
    const scalars = upload(gpu, [7], adamScalars(CASES[2], { step: 1, lr: 1 }));
    const tensors = { param: param!, grad: grad!, m: m!, v: v! };
    adamStep(capture, tensors, scalars, upload(gpu, [1], [1]), CASES[2]);
    return { param: param! };
  });
  for (const tensor of [param, m, v]) {
    assertAllClose(await gpu.readF32(tensor!), [0, 0, 0, 0], { rtol: 0, atol: 0 });
  }
});

Deno.test("adamStep() refuses unequal lengths, adamScalars() a step 0", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const [four, five] = [gpu.tensor([4]), gpu.tensor([5])];
  assertThrows(
    () => adamStep(capture, { param: four, grad: four, m: four, v: five }, five, four, CASES[0]),
    RangeError,
    "got 4, 4, 4, 5 and [5]",
  );
  assertThrows(() => adamScalars(CASES[0], { step: 0, lr: 1 }), RangeError, "got 0");
});

Deno.test("biasCorrection() is 1 - beta^step to the last bit, and ends at 1", () => {
  for (const beta of [0, 0.5, 0.9, 0.99, 0.999]) {
    // ln 2^-53 is -36.7: the places where the last bits go, and well beyond.
    const last = beta === 0 ? 1 : -36.7 / Math.log(beta);
    for (let i = 1; i <= 2000; i++) {
      const step = Math.max(1, Math.ceil(i * last / 1000));
      assertEquals(biasCorrection(beta, step), 1 - beta ** step, `${beta} at ${step}`);
    }
  }
  assertEquals(biasCorrection(0.9, 1e9), 1);
});
