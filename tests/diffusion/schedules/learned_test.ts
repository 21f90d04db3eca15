import { processOn } from "../../../diffusion/process.ts";
import { ddimSteps } from "../../../diffusion/samplers/ddim.ts";
import { learnedLogSnr, LOG_SNR_ENDS } from "../../../diffusion/schedules/learned.ts";
import { makeSchedule } from "../../../diffusion/schedules/registry.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";

const LEARNED = {
  input: [-0.4, 0.9],
  hidden: { weight: [3, -12, 0.2], bias: [-2, -7, 0.1], output: [0.5, 1.5, -0.3] },
} as const;

/** The network as the paper has it. */
function net(time: number): number {
  const u = 0.4 * time + 0.9, s = (x: number) => 1 / (1 + Math.exp(-x));
  return u + 0.5 * s(3 * u + 2) + 1.5 * s(12 * u + 7) + 0.3 * s(0.2 * u + 0.1);
}

Deno.test("learnedLogSnr() is the network between its ends, whatever the signs of its weights", () => {
  const { start, end } = LOG_SNR_ENDS, times = [0, 0.1, 0.5, 0.77, 1];
  assertAllClose(
    times.map(learnedLogSnr(LEARNED)),
    times.map((t) => start + (end - start) * (net(t) - net(0)) / (net(1) - net(0))),
    { rtol: 1e-12 },
  );
  assertAllClose([start, end], [9.210290371559516, -10.00005460359869], { rtol: 1e-6 });
});

Deno.test("makeSchedule() has the levels that were learned, and none to draw by before that", () => {
  const options = { timesteps: 50, schedule: "learned", betaStart: 1e-4, betaEnd: 0.02 } as const;
  assertEquals(makeSchedule(options).provisional, true);
  const schedule = makeSchedule({ ...options, learnedLogSnr: LEARNED });
  assertEquals(schedule.provisional, undefined);
  const logSnr = learnedLogSnr(LEARNED);
  const { signalPower, noisePower } = schedule.at(0.37);
  assertAllClose([Math.log(signalPower / noisePower)], [logSnr(0.37)], { rtol: 1e-12 });
  assertAllClose([schedule.condition!(0.37)], [logSnr(0.37)], { rtol: 0, atol: 0 });
  assertAllClose([schedule.find(Math.exp(-logSnr(0.6) / 2))], [0.6], { rtol: 1e-9 });
  const process = processOn(schedule, {
    ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
  });
  const steps = ddimSteps({ steps: 5, eta: 0, spacing: "trailing" }, process);
  assertAllClose(steps.map(({ timestep }) => timestep), [1, 0.8, 0.6, 0.4, 0.2], { rtol: 1e-12 });
  assert(steps.every(({ fromX0, fromX, fromF }) => [fromX0, fromX, fromF].every(Number.isFinite)));
});
