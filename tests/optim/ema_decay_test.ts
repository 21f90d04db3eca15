import { emaDecay } from "../../optim/ema_decay.ts";
import { type EmaOptions, PLAIN_EMA } from "../../optim/options.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";

const decays = (options: Partial<EmaOptions>, at: number[], batchSize = 1) =>
  at.map((k) => emaDecay({ decay: 0.9999, ...PLAIN_EMA, ...options }, k, batchSize));

Deno.test("emaDecay() is the decay, or (1 + k) / (10 + k) until that is larger", () => {
  assertEquals(decays({}, [0]), [0.9999]);
  assertEquals(decays({ decay: 0.99, warmup: true }, [0, 8, 889, 891, 5000]), [
    ...[0.1, 0.5, 890 / 899, 0.99, 0.99],
  ]);
});

Deno.test("emaDecay() copies up to updateAfter, and then moves every updateEvery-th step", () => {
  const options = { updateAfter: 2, updateEvery: 3 };
  assertEquals(decays(options, [0, 1, 2, 3, 4, 5]), [0, 0, 0.9999, 1, 1, 0.9999]);
});

Deno.test("emaDecay() of a power grows from minDecay to the decay", () => {
  const options = { power: 0.5, decay: 0.8, minDecay: 0.1, updateAfter: 1 };
  assertAllClose(decays(options, [0, 2, 5, 1000]), [0, 0.1, 0.5, 0.8]);
  assertAllClose(decays({ ...options, invGamma: 3 }, [11]), [0.5]);
});

Deno.test("emaDecay() halves what lies halfLife images back, at first sooner", () => {
  assertAllClose(decays({ halfLife: 1000 }, [0, 99], 100), [0.5 ** 0.1, 0.5 ** 0.1]);
  assertAllClose(decays({ halfLife: 1000, rampUp: 0.05 }, [0, 199], 100), [0.5 ** 20, 0.5 ** 0.1]);
});
