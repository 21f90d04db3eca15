import { emaDecay, learningRate } from "../../optim/learning_rate.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";

const rates = (
  options: Parameters<typeof learningRate>[0],
  steps: number,
  at: number[],
) => at.map((k) => learningRate(options, k, steps));

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

Deno.test("emaDecay() is the decay, or (1 + k) / (10 + k) until that is larger", () => {
  assertEquals(emaDecay({ decay: 0.9999, warmup: false }, 0), 0.9999);
  const warm = { decay: 0.99, warmup: true };
  assertEquals([0, 8, 889, 891, 5000].map((k) => emaDecay(warm, k)), [
    0.1,
    0.5,
    890 / 899,
    0.99,
    0.99,
  ]);
});
