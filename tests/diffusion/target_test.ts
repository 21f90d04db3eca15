import { TARGET_NAMES } from "../../diffusion/options.ts";
import type { XprevOutput } from "../../diffusion/parameterization.ts";
import { makePosterior } from "../../diffusion/posterior.ts";
import { makeProcess, processOn } from "../../diffusion/process.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { sharesOf } from "./options.ts";

const schedule = makeSchedule({
  timesteps: 1000,
  schedule: "linear-torch",
  betaStart: 1e-4,
  betaEnd: 0.02,
});

for (const target of TARGET_NAMES) {
  Deno.test(`outputToX0() and outputToEpsilon() undo targetForm() for ${target}`, () => {
    const form = sharesOf(schedule, target).target;
    const toX0 = sharesOf(schedule, target).toX0, toEpsilon = sharesOf(schedule, target).toNoise;
    const x0 = -0.7, noise = 1.3;
    for (const t of [0, 1, 250, 999]) {
      const xt = schedule.sqrtAlphasCumprod[t]! * x0 +
        schedule.sqrtOneMinusAlphasCumprod[t]! * noise;
      const output = form.x0[t]! * x0 + form.noise[t]! * noise + form.xt[t]! * xt;
      const read = (table: typeof toX0) => table.xt[t]! * xt + table.output[t]! * output;
      // f64 round-off, multiplied by up to 1 / c1 = 8e3 and 1 / sqrt(1 - A) = 1e2.
      assertAllClose([read(toX0), read(toEpsilon)], [x0, noise], { rtol: 0, atol: 1e-10 });
    }
  });
}

Deno.test("targetForm() of xprev is the posterior mean, and the clean image at timestep 0", () => {
  const form = sharesOf(schedule, "xprev").target;
  const posterior = makePosterior(schedule);
  assertEquals(form.x0, posterior.meanFromX0);
  assertEquals(form.xt, posterior.meanFromXt);
  assertEquals([form.x0[0], form.noise[0], form.xt[0]], [1, 0, 0]);
});

const RESIDUAL = { target: "xprev", xprevOutput: "residual", weighting: "uniform" } as const;
const SAMPLED = { variance: "fixedlarge", clipX0: false } as const;

Deno.test("XPREV as a residual has the loss of the mean, but for one factor", () => {
  const { target, toX0 } = processOn(schedule, { ...RESIDUAL, ...SAMPLED }).tables;
  const { meanFromX0, meanFromXt } = makePosterior(schedule);
  const ratios = [0, 1, 40, 400, 999].map((t) => {
    const x0 = 0.8, xt = -0.3, output = 0.21;
    const wanted = target.x0[t]! * x0 + target.xt[t]! * xt;
    const mean = (clean: number) => meanFromX0[t]! * clean + meanFromXt[t]! * xt;
    const said = mean(toX0.xt[t]! * xt + toX0.output[t]! * output);
    return (said - mean(x0)) / (output - wanted);
  });
  assertAllClose(ratios, ratios.map(() => ratios[0]!), { rtol: 1e-9, atol: 0 });
});

Deno.test("XPREV as a residual starts from the best linear estimate of the image, and its target from variance 1", () => {
  const sigmaData = 0.4;
  const { tables } = processOn(schedule, { ...RESIDUAL, ...SAMPLED, sigmaData });
  const variances = schedule.levels.map(({ signal, noise, noisePower, signalPower }, t) => {
    // x_0 and e are independent, of variances sigmaData^2 and 1.
    const total = sigmaData ** 2 * signalPower + noisePower;
    assertAllClose([tables.toX0.xt[t]!], [sigmaData ** 2 * signal / total], { rtol: 1e-12 });
    const { x0, xt } = tables.target;
    return sigmaData ** 2 * (x0[t]! + xt[t]! * signal) ** 2 + (xt[t]! * noise) ** 2;
  });
  assertAllClose([variances[0]!], [1], { rtol: 1e-9 });
  assert(variances.every((variance) => variance < 1 + 1e-9));
});

Deno.test("XPREV as a residual reads the same outputs where only the first timesteps are left", () => {
  const process = processOn(schedule, { ...RESIDUAL, ...SAMPLED });
  assertEquals(process.first(200).toX0(150), process.toX0(150));
});

Deno.test("processOn() refuses xprev where levels are continuous", () => {
  const make = (xprevOutput: XprevOutput) =>
    makeProcess({
      ...{ timesteps: 100, schedule: "karras", betaStart: 1e-4, betaEnd: 0.02 },
      ...{ ...RESIDUAL, ...SAMPLED, xprevOutput },
    });
  for (const output of ["residual", "mean"] as const) {
    assertThrows(() => make(output), RangeError, "target xprev needs counted timesteps");
  }
});

Deno.test("outputToX0() gives the recorded images of the PyTorch code", () => {
  const xt = [0.15006497502326965, -0.4883916676044464, -0.680932879447937, -1.6560496091842651];
  const f = [-0.5696980953216553, -0.34415149688720703, -0.3769683837890625, -0.4401046633720398];
  const recorded = {
    epsilon: [0.1557697355747223, -0.4833413064479828, -1.1434253454208374, -191.40383911132812],
    x0: f,
    xprev: [-0.5696980953216553, -0.22387230396270752, 98.08515167236328, 9343.8681640625],
  };
  for (const target of ["epsilon", "x0", "xprev"] as const) {
    const table = sharesOf(schedule, target).toX0;
    const actual = [0, 1, 500, 999].map((t, i) => table.xt[t]! * xt[i]! + table.output[t]! * f[i]!);
    assertAllClose(actual, recorded[target], { rtol: 2e-6, atol: 0, name: target });
  }
});
