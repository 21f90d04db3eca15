import { Capture } from "../../../device/capture.ts";
import { adamScalars, adamStep } from "../../../kernels/optim/adam.ts";
import {
  GROWTH_INTERVAL,
  lossScaleStep,
  MOST_LOSS_SCALE,
} from "../../../kernels/optim/loss_scale.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

/** The factor and the state after a step with such a norm of the scaled gradients. */
async function step(norm: number, before: readonly number[], { share = 1, maxNorm = 0 } = {}) {
  const gpu = await testGpu();
  const state = upload(gpu, [4], before);
  const { factor } = await compute(gpu, (capture) => ({
    factor: lossScaleStep(capture, upload(gpu, [1], [norm]), state, { share, maxNorm }),
  }));
  return { factor: factor[0]!, state: [...await gpu.readF32(state)] };
}

Deno.test("lossScaleStep() takes scale and share off, and clips the true norm", async () => {
  assertEquals(await step(1024, [512, 7, 3, 0]), { factor: 1 / 512, state: [512, 8, 3, 2] });
  const clipped = await step(1024, [512, 7, 3, 0], { share: 0.5, maxNorm: 0.25 });
  assertAllClose([clipped.factor], [0.25 / 1024], { rtol: 1e-5 });
  assertEquals(clipped.state, [512, 8, 3, 1]);
});

Deno.test("lossScaleStep() halves at a norm that is not finite, counts it and keeps the last norm", async () => {
  for (const norm of [Infinity, NaN]) {
    assertEquals(await step(norm, [512, 7, 3, 2]), { factor: -1, state: [256, 0, 4, 2] });
  }
});

Deno.test("lossScaleStep() doubles after a row of good steps, up to a limit", async () => {
  const last = GROWTH_INTERVAL - 1;
  assertEquals(await step(1, [4, last, 0, 0]), { factor: 0.25, state: [8, 0, 0, 0.25] });
  const most = MOST_LOSS_SCALE;
  assertEquals((await step(most, [most, last, 0, 0])).state, [most, 0, 0, 1]);
});

Deno.test("lossScaleStep() refuses other sizes", async () => {
  const gpu = await testGpu();
  const [norm, state] = [upload(gpu, [2], [1, 1]), upload(gpu, [4], [1, 0, 0, 0])];
  const choice = { share: 1, maxNorm: 0 };
  assertThrows(
    () => lossScaleStep(new Capture(gpu, "test"), norm, state, choice),
    RangeError,
    "norm must have 1 element and state 4, got 2 and 4",
  );
});

Deno.test("adamStep() that skips leaves all as it is at a negative factor, and else takes the step", async () => {
  const gpu = await testGpu();
  const options = { betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0.1, decoupled: true } as const;
  const run = async (factor: number, skips: boolean) => {
    const make = () => upload(gpu, [8], [1, 2, 3, 4, 5, 6, 7, 8]);
    const tensors = { param: make(), grad: make(), m: make(), v: make(), ema: make() };
    const scalars = upload(gpu, [7], adamScalars(options, { step: 3, lr: 0.1, emaDecay: 0.5 }));
    return await compute(gpu, (capture) => {
      adamStep(capture, tensors, scalars, upload(gpu, [1], [factor]), { ...options, skips });
      const { param, m, v, ema } = tensors;
      return { param, m, v, ema };
    });
  };
  for (const values of Object.values(await run(-1, true))) {
    assertEquals([...values], [1, 2, 3, 4, 5, 6, 7, 8]);
  }
  assertEquals(await run(0.5, true), await run(0.5, false));
});
