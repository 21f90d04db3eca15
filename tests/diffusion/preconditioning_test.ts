import { outputToNoise } from "../../diffusion/parameterization.ts";
import { preconditionedOutput, type Preconditioning } from "../../diffusion/preconditioning.ts";
import { edmPreconditioning } from "../../diffusion/preconditionings/edm.ts";
import { iddpmPreconditioning } from "../../diffusion/preconditionings/iddpm.ts";
import { vePreconditioning } from "../../diffusion/preconditionings/ve.ts";
import { vpPreconditioning } from "../../diffusion/preconditionings/vp.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { assertAllClose } from "../support/assert.ts";

const ALL: Readonly<Record<string, Preconditioning>> = {
  edm: edmPreconditioning(),
  vp: vpPreconditioning(),
  ve: vePreconditioning(),
  iddpm: iddpmPreconditioning(),
};

Deno.test("preconditionedOutput() has a target whose output is the clean image and the noise again", () => {
  const schedule = makeSchedule({
    ...{ schedule: "linear", timesteps: 40, betaStart: 1e-3, betaEnd: 0.2 },
  });
  const x0 = 0.7, e = -1.3;
  for (const [name, preconditioning] of Object.entries(ALL)) {
    const parameterization = preconditionedOutput(preconditioning, schedule);
    for (const t of [0, 7, 39]) {
      const { signal, noise } = schedule.at(t);
      const xt = signal * x0 + noise * e;
      const shares = parameterization.target(t);
      const output = shares.x0 * x0 + shares.noise * e + shares.xt * xt;
      const clean = parameterization.toX0(t);
      const found = parameterization.toNoise!(t);
      const { target, toX0 } = parameterization;
      const derived = outputToNoise(schedule, { target, toX0 }, t);
      assertAllClose(
        [
          clean.xt * xt + clean.output * output,
          found.xt * xt + found.output * output,
          derived.xt * xt + derived.output * output,
        ],
        [x0, e, e],
        { rtol: 1e-9, atol: 1e-9, name: `${name} at ${t}` },
      );
      const sigma = noise / signal;
      assertAllClose([parameterization.inputScale!(t) * signal], [
        preconditioning.at(sigma).input,
      ], { rtol: 1e-12, atol: 0 });
    }
  }
});

Deno.test("edmPreconditioning() keeps the variance of the input and of the target at 1", () => {
  for (const sigmaData of [0.5, 1.3]) {
    for (const sigma of [0.002, 0.3, 80]) {
      const { skip, output, input, condition } = edmPreconditioning({ sigmaData }).at(sigma);
      const target = ((1 - skip) / output * sigmaData) ** 2 + (skip * sigma / output) ** 2;
      assertAllClose(
        [input ** 2 * (sigmaData ** 2 + sigma ** 2), target, condition],
        [1, 1, Math.log(sigma) / 4],
        { rtol: 1e-9, atol: 0 },
      );
    }
  }
});
