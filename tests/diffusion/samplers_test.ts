import type { DiffusionOptions, SamplerOptions, SpacingName } from "../../diffusion/options.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { makePosterior } from "../../diffusion/posterior.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { spaceTimesteps } from "../../diffusion/spacing.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { PLAIN_TRAINING, sharesOf, stepsOf } from "./options.ts";

const ddpm: SamplerOptions = { name: "ddpm", steps: null, eta: 0, spacing: "uniform" };
const ddim = (steps: number | null, eta: number, spacing: SpacingName = "uniform") => ({
  name: "ddim" as const,
  steps,
  eta,
  spacing,
});
const base: DiffusionOptions = {
  timesteps: 1000,
  schedule: "linear-torch",
  betaStart: 1e-4,
  betaEnd: 0.02,
  target: "epsilon",
  loss: "mse",
  ...PLAIN_TRAINING,
  variance: "fixedlarge",
  clipX0: true,
  sampler: ddpm,
};

/** The update of a step, as diffusion/sampler_step.ts states it. */
function update(step: SamplerStep, x: number, f: number, z: number) {
  let x0 = step.xToX0 * x + step.fToX0 * f;
  if (step.clip) x0 = Math.min(1, Math.max(-1, x0));
  return { x0, x: step.fromX0 * x0 + step.fromX * x + step.fromF * f + step.noise * z };
}

Deno.test("spaceTimesteps() gives the recorded timesteps", () => {
  assertEquals(
    spaceTimesteps("uniform", 1000, 10),
    [900, 800, 700, 600, 500, 400, 300, 200, 100, 0],
  );
  assertEquals(
    spaceTimesteps("linspace", 1000, 10),
    [999, 899, 799, 699, 599, 499, 399, 299, 199, 99],
  );
  assertEquals(spaceTimesteps("trailing", 1000, 5), [999, 799, 599, 399, 199]);
  // 9.99.. is cut, not rounded: linspace(-1, 9, 4) = -1, 2.33, 5.67, 9.
  assertEquals(spaceTimesteps("linspace", 10, 3), [9, 5, 2]);
  // round(10), round(7.5), round(5), round(2.5), halves to even.
  assertEquals(spaceTimesteps("trailing", 10, 4), [9, 7, 4, 1]);
  // range(0, 10, 3)
  assertEquals(spaceTimesteps("uniform", 10, 3), [9, 6, 3, 0]);
});

Deno.test("spaceTimesteps() takes every timestep when asked for all, in every spacing", () => {
  for (const spacing of ["uniform", "linspace", "trailing"] as const) {
    assertEquals(spaceTimesteps(spacing, 7, 7), [6, 5, 4, 3, 2, 1, 0]);
    for (let steps = 1; steps <= 37; steps++) {
      const timesteps = spaceTimesteps(spacing, 37, steps);
      assert(timesteps.every((t, i) => t >= 0 && t < (timesteps[i - 1] ?? 37)), `${timesteps}`);
    }
  }
});

Deno.test("spaceTimesteps() refuses no steps, fractions and more steps than timesteps", () => {
  for (const steps of [0, 2.5, 11, NaN]) {
    assertThrows(() => spaceTimesteps("uniform", 10, steps), RangeError, `got ${steps}`);
  }
});

Deno.test("stepsOf() of ddpm gives the recorded posterior means of the PyTorch code", () => {
  const x = [0.15006497502326965, -0.4883916676044464, -0.680932879447937, -1.6560496091842651];
  const f = [-0.5696980953216553, -0.34415149688720703, -0.3769683837890625, -0.4401046633720398];
  const x0Means = [
    -0.5696980953216553,
    -0.4097387194633484,
    -0.678071141242981,
    -1.6394606828689575,
  ];
  const recorded = {
    epsilon: {
      plain: [0.1557697355747223, -0.48563772439956665, -0.6804149746894836, -1.663971185684204],
      clipped: [0.1557697355747223, -0.48563772439956665, -0.6799764037132263, -1.6395325660705566],
    },
    x0: { plain: x0Means, clipped: x0Means },
    xprev: {
      plain: f,
      clipped: [
        -0.5696980953216553,
        -0.34415149688720703,
        -0.6738602519035339,
        -1.6392757892608643,
      ],
    },
  };
  for (const target of ["epsilon", "x0", "xprev"] as const) {
    for (const clipX0 of [false, true]) {
      const steps = stepsOf({ ...base, target, clipX0 });
      const means = [0, 1, 500, 999].map((t, i) => update(steps[999 - t]!, x[i]!, f[i]!, 0).x);
      const expected = recorded[target][clipX0 ? "clipped" : "plain"];
      assertAllClose(means, expected, { rtol: 2e-6, atol: 0, name: `${target} ${clipX0}` });
    }
  }
});

Deno.test("stepsOf() of ddpm ends without noise and takes its width from the variance", () => {
  const large = stepsOf(base), small = stepsOf({ ...base, variance: "fixedsmall" });
  assertEquals(large.length, 1000);
  assertEquals([large[999]!.timestep, large[999]!.previous, large[999]!.noise], [0, -1, 0]);
  const { betas, alphasCumprod } = makeSchedule(base);
  const posterior = betas[500]! * (1 - alphasCumprod[499]!) / (1 - alphasCumprod[500]!);
  assertAllClose([large[499]!.noise ** 2, small[499]!.noise ** 2], [betas[500]!, posterior], {
    rtol: 1e-12,
    atol: 0,
  });
});

Deno.test("stepsOf() of xprev without clipping equals the way through the predicted x0", () => {
  const direct = stepsOf({ ...base, target: "xprev", clipX0: false });
  const through = stepsOf({ ...base, target: "xprev", clipX0: true });
  for (const i of [0, 400, 998, 999]) {
    const a = update(direct[i]!, 0.3, 0.29, 0.8);
    const b = update({ ...through[i]!, clip: false }, 0.3, 0.29, 0.8);
    assertAllClose([a.x, a.x0], [b.x, b.x0], { rtol: 1e-12, atol: 1e-12 });
  }
});

Deno.test("stepsOf() of xprev as a residual lead where those of the mean do", () => {
  const options = { ...base, target: "xprev", clipX0: false } as const;
  const mean = stepsOf(options), residual = stepsOf({ ...options, xprevOutput: "residual" });
  const { target } = makeProcess({ ...options, xprevOutput: "residual" }).tables;
  const x0 = 0.7, x = 0.3;
  for (const i of [0, 400, 998, 999]) {
    const t = 999 - i, { meanFromX0, meanFromXt } = makePosterior(makeSchedule(base));
    const said = meanFromX0[t]! * x0 + meanFromXt[t]! * x;
    const a = update(mean[i]!, x, said, 0.8);
    const b = update(residual[i]!, x, target.x0[t]! * x0 + target.xt[t]! * x, 0.8);
    assertAllClose([b.x, b.x0], [a.x, a.x0], { rtol: 1e-9, atol: 1e-9 });
  }
});

Deno.test("stepsOf() of ddim gives recorded updates of the PyTorch code", () => {
  const at = (clipX0: boolean, i: number) =>
    stepsOf({ ...base, clipX0, sampler: ddim(10, 0.5) })[i]!;
  // Each line: clipX0, step, x before, predicted x0, noise z, x after (eta 0.5, uniform, 10 steps).
  const lines = [
    [1, 1, 0.27384841442108154, 1, 1.7100852727890015, 1.0464880466461182],
    [0, 1, 1.1373915672302246, 45.4002571105957, 1.7100852727890015, 3.956493616104126],
    [1, 9, 1.001059889793396, 1, 0.323098748922348, 1],
    [0, 9, 54.279117584228516, 54.287376403808594, 0.323098748922348, 54.287376403808594],
  ] as const;
  for (const [clip, i, x, x0, z, expected] of lines) {
    const step = at(clip === 1, i);
    const f = (x0 - step.xToX0 * x) / step.fToX0;
    const result = update({ ...step, clip: false }, x, f, z);
    assertAllClose([result.x0, result.x], [x0, expected], { rtol: 2e-6, atol: 0 });
  }
});

Deno.test("stepsOf() of ddim with eta 1 over every timestep is ddpm with fixedsmall", () => {
  for (const target of ["epsilon", "x0", "xprev"] as const) {
    for (const clipX0 of [false, true]) {
      const options = { ...base, target, clipX0, variance: "fixedsmall" } as const;
      const a = stepsOf({ ...options, sampler: ddim(null, 1) }), b = stepsOf(options);
      for (const i of [0, 300, 998, 999]) {
        const [x, f] = target === "xprev" ? [0.4, 0.395] : [0.4, -0.2];
        const results = [a, b].map((steps) => update(steps[i]!, x!, f!, 0.9).x);
        assertAllClose([results[0]!], [results[1]!], { rtol: 1e-8, atol: 1e-8 });
      }
    }
  }
});

Deno.test("stepsOf() of ddim with eta 0 follows a perfect network to the clean image", () => {
  const schedule = makeSchedule(base);
  const clean = 0.6, noise = -1.1;
  for (const target of ["epsilon", "x0", "xprev"] as const) {
    const form = sharesOf(schedule, target).target;
    for (const clipX0 of [false, true]) {
      for (const spacing of ["uniform", "linspace", "trailing"] as const) {
        const steps = stepsOf({ ...base, target, clipX0, sampler: ddim(20, 0, spacing) });
        const at = (t: number) =>
          t < 0 ? clean : schedule.sqrtAlphasCumprod[t]! * clean +
            schedule.sqrtOneMinusAlphasCumprod[t]! * noise;
        let x = at(steps[0]!.timestep);
        for (const step of steps) {
          const t = step.timestep;
          const f = form.x0[t]! * clean + form.noise[t]! * noise + form.xt[t]! * x;
          x = update(step, x, f, 5).x;
          assertAllClose([x], [at(step.previous)], { rtol: 0, atol: 1e-9 });
        }
        assertEquals(steps.at(-1)!.previous, -1);
      }
    }
  }
});

Deno.test("stepsOf() refuses fewer ddpm steps and an eta outside [0, 1]", () => {
  assertThrows(
    () => stepsOf(base, { ...ddpm, steps: 50 }),
    RangeError,
    "ddim with eta 1 is the sampler that skips",
  );
  assertEquals(stepsOf(base, { ...ddpm, steps: 1000 }), stepsOf(base));
  for (const eta of [-0.1, 1.5, NaN]) {
    assertThrows(() => stepsOf(base, ddim(10, eta)), RangeError, `got ${eta}`);
  }
  assertThrows(() => stepsOf(base, ddim(1001, 0)), RangeError, "from 1 to 1000, got 1001");
});
