import { follow } from "../../../commands/verify/follow.ts";
import { isEvaluation } from "../../../diffusion/moves.ts";
import { makeProcess } from "../../../diffusion/process.ts";
import { samplerMoves, SAMPLERS } from "../../../diffusion/samplers/registry.ts";
import { sampledVariance, wiener, wienerOutput } from "../../../metrics/theory/gaussian_modes.ts";
import { assert, assertAllClose, assertAlmostEquals } from "../../support/assert.ts";

const process = makeProcess({
  ...{ timesteps: 400, schedule: "linear-torch", betaStart: 2.5e-4, betaEnd: 0.05 },
  ...{ target: "v", weighting: "uniform", variance: "fixedlarge", clipX0: false },
});

/** The network's output in a mode of a variance. */
function outputOf(variance: number) {
  return (level: number) =>
    wienerOutput(wiener(process.schedule.at(level), variance).gain, process.toX0(level));
}

Deno.test("wiener() has the errors that its gain has", () => {
  const level = { signal: 0.8, noise: 0.7, signalPower: 0.64, noisePower: 0.49 }, v = 0.3;
  const { gain, x0, noise } = wiener(level, v);
  // E (x0 - g (a x0 + s e))^2, and no other gain has less.
  const loss = (g: number) => (1 - g * 0.8) ** 2 * v + g * g * 0.49;
  assertAlmostEquals(x0, loss(gain));
  for (const other of [gain - 0.01, gain + 0.01]) assert(loss(other) > x0);
  // e - e' = -(a / s) (x0 - x0').
  assertAlmostEquals(noise, 0.64 / 0.49 * x0);
});

for (const name of Object.keys(SAMPLERS) as (keyof typeof SAMPLERS)[]) {
  Deno.test(`sampledVariance() of ${name} is the sum of what each noise comes to, and near the data's`, () => {
    const variance = 0.2, output = outputOf(variance);
    const moves = (() => {
      try {
        return samplerMoves(process, { name, steps: 60 } as never);
      } catch {
        return samplerMoves(process, { name } as never);
      }
    })();
    const network = (x: Float64Array, { timestep }: { timestep: number }) =>
      x.map((value) => value * output(timestep));
    // The answer to a start of 1, and to a noise of 1 at each move.
    let expected = follow(moves, [1], { network })[0]! ** 2;
    moves.forEach((move, i) => {
      if (isEvaluation(move) && move.noise === 0) return;
      const noise = (at: number) => at === i ? [1] : null;
      expected += follow(moves, [0], { network, noise })[0]! ** 2;
    });
    const found = sampledVariance(moves, output, 1);
    assertAllClose([found], [expected], { rtol: 1e-10, atol: 0 });
    // A consistency model is no denoiser.
    const near = name === "dpmpp-3m-sde" ? 1 : 0.25;
    if (name !== "consistency") assert(Math.abs(Math.log(found / variance)) < near, `${found}`);
  });
}
