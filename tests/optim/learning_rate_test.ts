import { firstBeta, learningRate } from "../../optim/learning_rate.ts";
import { type LearningRateOptions, PLAIN_RATE } from "../../optim/options.ts";
import { assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";

const rates = (
  options: Pick<LearningRateOptions, "lr" | "warmupSteps" | "decay"> & Partial<LearningRateOptions>,
  steps: number,
  at: number[],
) => at.map((k) => learningRate({ ...PLAIN_RATE, ...options }, k, steps));

Deno.test("learningRate() starts at 0, grows linearly and stays", () => {
  const options = { lr: 2e-4, warmupSteps: 5000, decay: "constant" } as const;
  assertAllClose(
    rates(options, 800000, [0, 1, 2500, 5000, 799999]),
    [0, 4e-8, 1e-4, 2e-4, 2e-4],
    { rtol: 1e-15, atol: 0 },
  );
});

Deno.test("learningRate() has no warm-up to divide by when warmupSteps is 0", () => {
  assertEquals(rates({ lr: 0.5, warmupSteps: 0, decay: "constant" }, 10, [0, 9]), [0.5, 0.5]);
});

Deno.test("learningRate() falls along half a cosine to 0 at the last step", () => {
  const options = { lr: 2, warmupSteps: 50, decay: "cosine" } as const;
  assertAllClose(
    rates(options, 250, [25, 50, 100, 150, 200, 250, 300]),
    [1, 2, 1 + Math.SQRT1_2, 1, 1 - Math.SQRT1_2, 0, 0],
    { rtol: 1e-12, atol: 1e-15 },
  );
});

Deno.test("learningRate() of a run shorter than its warm-up only warms up", () => {
  const options = { lr: 1, warmupSteps: 50, decay: "cosine" } as const;
  assertAllClose(rates(options, 10, [0, 5, 9]), [0, 0.1, 0.18], { rtol: 1e-15, atol: 0 });
  assertEquals(rates(options, 50, [49, 50]), [0.98, 0]);
});

Deno.test("learningRate() falls in a line, along a power, or by the root of the steps", () => {
  const line = { lr: 1, finalLr: 0.2, warmupSteps: 10, decay: "linear" } as const;
  assertAllClose(rates(line, 30, [5, 10, 20, 30]), [0.5, 1, 0.6, 0.2]);
  const power = { ...line, decay: "polynomial", decayPower: 2 } as const;
  assertAllClose(rates(power, 30, [10, 20, 30]), [1, 0.4, 0.2]);
  const root = { lr: 3, warmupSteps: 0, decay: "inverse-sqrt", decayAfter: 100 } as const;
  assertAllClose(rates(root, 10, [0, 100, 400, 900]), [3, 3, 1.5, 1]);
});

Deno.test("learningRate() of restarts begins each cosine at the top", () => {
  const options = { lr: 1, warmupSteps: 0, decay: "restarts", cycles: 3 } as const;
  assertAllClose(rates(options, 30, [0, 5, 9.999999, 10, 15, 20, 29.999999, 30]), [
    ...[1, 0.5, 0, 1, 0.5, 1, 0, 0],
  ], { rtol: 0, atol: 1e-9 });
});

Deno.test("learningRate() of one cycle goes up and down as PyTorch's OneCycleLR", () => {
  const options = {
    lr: 1,
    startLr: 0.04,
    finalLr: 4e-6,
    warmupSteps: 3,
    decay: "one-cycle",
  } as const;
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10, pct_start=0.3).
  assertAllClose(rates(options, 10, [0, 1, 2, 3, 5, 9]), [
    ...[0.04, 0.52, 1, 0.950484, 0.611261, 4e-6],
  ], { rtol: 1e-5, atol: 0 });
  assertAllClose(rates({ ...options, decay: "one-cycle-linear" }, 10, [1, 2, 9]), [0.52, 1, 4e-6]);
  assertThrows(() => rates({ ...options, warmupSteps: 11 }, 10, [0]), RangeError, "at most");
});

Deno.test("firstBeta() falls while the rate rises, and only where it is asked to", () => {
  const betas: [number, number] = [0.9, 0.999];
  const options = { decay: "one-cycle", betas, warmupSteps: 3, cycleBeta: [0.85, 0.95] } as const;
  const at = (k: number) => firstBeta({ ...options, cycleBeta: [0.85, 0.95] }, k, 10);
  assertAllClose([at(0), at(1), at(2), at(9)], [0.95, 0.9, 0.85, 0.95]);
  assertEquals(firstBeta({ ...options, cycleBeta: null }, 5, 10), 0.9);
});
