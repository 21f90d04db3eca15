import { makeProcess } from "../../diffusion/process.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import {
  makeSchedule,
  SCHEDULE_NAMES,
  type ScheduleOptions,
} from "../../diffusion/schedules/registry.ts";
import { parseConfig } from "../../config/load.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";

const T = 40;
/** What schedules can't do without. */
const NEEDED: Partial<Record<ScheduleOptions["schedule"], ScheduleOptions["scheduleOptions"]>> = {
  trained: { betas: Array(T).fill(0.05) },
  spectral: { spectrum: [20, 7, 2, 3, 0.5, 0.5, 0.1] },
};
const options = (
  schedule: ScheduleOptions["schedule"],
  own: ScheduleOptions["scheduleOptions"] = {},
) => ({
  ...{ timesteps: T, schedule, betaStart: 1e-3, betaEnd: 0.02 },
  scheduleOptions: { ...NEEDED[schedule], ...own },
});
const exact = { rtol: 1e-12, atol: 1e-15 };

for (const name of SCHEDULE_NAMES) {
  Deno.test(`makeSchedule() gives ${name} rows that samplers find again, noisier one by one`, () => {
    const schedule = makeSchedule(options(name));
    const { levels, values, at, clean } = schedule;
    assertEquals([levels.length, values.length], [T, T]);
    levels.forEach((level, row) => assertEquals(at(values[row]!), level));
    const sigmas = levels.map(({ signal, noise }) => noise / signal);
    assert(sigmas.every((sigma, i) => sigma > (sigmas[i - 1] ?? 0)), sigmas.join());
    assertEquals(at(clean), { signal: 1, noise: 0, signalPower: 1, noisePower: 0 });
    const visited = schedule.space("linspace", 5);
    assertEquals(visited.length, 5);
    assert(visited.every((level, i) => level < (visited[i - 1] ?? Infinity) && level > clean));
    assertEquals(visited[0], values.at(-1));
    assertEquals(schedule.first(10).levels, levels.slice(0, 10));
    assertThrows(() => at(NaN), RangeError, "Cannot find a noise level");
    assertThrows(() => schedule.space("linspace", 0), RangeError, "steps must");
  });

  Deno.test(`ddimSteps() follow ${name} exactly where the network is right`, () => {
    const process = makeProcess({
      ...options(name),
      ...{ target: "velocity", weighting: "uniform", variance: "fixedlarge", clipX0: false },
    });
    const x0 = 0.3, e = -1.2;
    for (const step of ddimSteps({ steps: 5, eta: 0, spacing: "linspace" }, process)) {
      const { signal, noise } = process.schedule.at(step.timestep);
      const x = signal * x0 + noise * e, f = e - x0;
      const clean = step.xToX0 * x + step.fToX0 * f;
      const next = step.fromX0 * clean + step.fromX * x + step.fromF * f;
      const there = process.schedule.at(step.previous);
      assertAllClose([next], [there.signal * x0 + there.noise * e], { rtol: 1e-9, atol: 1e-9 });
    }
  });
}

Deno.test("makeSchedule() has the betas that each definition says", () => {
  const betas = (name: ScheduleOptions["schedule"], own = {}) =>
    makeSchedule(options(name, own)).betas;
  assertAllClose([...betas("linear-scaled")].filter((_, i) => i % 39 === 0), [0.025, 0.5], exact);
  const middle = (Math.sqrt(1e-3) + 1 / (T - 1) * (Math.sqrt(0.02) - Math.sqrt(1e-3))) ** 2;
  assertAllClose(betas("scaled-linear").subarray(0, 2), [1e-3, middle], exact);
  assertEquals(betas("quadratic"), betas("scaled-linear"));
  assertAllClose(betas("jump"), Array.from({ length: T }, (_, t) => 1 / (T - t)), exact);
  assertEquals([...betas("trained")], Array(T).fill(0.05));
  const wave = (u: number) => Math.cos((u + 0.02) / 1.02 * Math.PI / 2) ** 2;
  const first = 1 - wave(1 / T) / wave(0);
  assertAllClose([betas("cosine", { cosineOffset: 0.02 })[0]!], [first], { rtol: 1e-10 });
  const s = (x: number) => 1 / (1 + Math.exp(-x / 0.8));
  const cumprod = (u: number) => (s(2) - s(-3 + 5 * u)) / (s(2) - s(-3));
  const sigmoid = makeSchedule(options("sigmoid", { sigmoidEnd: 2, sigmoidTau: 0.8 }));
  assertAllClose([sigmoid.alphasCumprod[0]!, sigmoid.alphasCumprod[T - 2]!], [
    cumprod(1 / T),
    cumprod((T - 1) / T),
  ], { rtol: 1e-10 });
  assertAllClose([sigmoid.betas[T - 1]!], [0.999]);
});

Deno.test("makeSchedule() shifts the ratio of noise to signal of any schedule", () => {
  for (const name of ["cosine", "linear", "flow"] as const) {
    const plain = makeSchedule(options(name)).levels.slice(0, -1);
    const shifted = makeSchedule(options(name, { shift: 4 })).levels.slice(0, -1);
    const sigma = ({ signal, noise }: { signal: number; noise: number }) => noise / signal;
    assertAllClose(shifted.map(sigma), plain.map((level) => 4 * sigma(level)), { rtol: 1e-9 });
  }
});

Deno.test("makeSchedule() takes the last signal away, and keeps the first", () => {
  for (const name of ["linear", "scaled-linear", "cosine"] as const) {
    const plain = makeSchedule(options(name));
    const { levels, betas } = makeSchedule(options(name, { zeroTerminalSnr: true }));
    assertEquals([levels.at(-1)!.signal, betas.at(-1)], [0, 1]);
    assertAllClose([levels[0]!.signal], [plain.levels[0]!.signal], exact);
    const share = (plain.levels[7]!.signal - plain.levels.at(-1)!.signal) /
      (plain.levels[0]!.signal - plain.levels.at(-1)!.signal);
    assertAllClose([levels[7]!.signal], [share * plain.levels[0]!.signal], exact);
  }
});

Deno.test("makeSchedule() tells networks of continuous levels what each schedule says", () => {
  const told = (name: ScheduleOptions["schedule"], level: number) =>
    makeSchedule(options(name)).condition!(level);
  assertAllClose(
    [told("karras", 3), told("ve", 3), told("vp", 0.4), told("flow", 0.25)],
    [Math.log(3) / 4, Math.log(1.5), 999 * 0.4, T * 0.25],
    exact,
  );
  assertAllClose(
    [told("log-snr-linear", 0.3), told("log-snr-cosine", 0.3)],
    [-Math.log(Math.expm1(1e-4 + 0.9)), -2 * Math.log(Math.tan(0.308 / 1.008 * Math.PI / 2))],
    { rtol: 1e-12 },
  );
  assertEquals([told("iddpm", 0), told("iddpm", 1e9)], [0, T - 1]);
});

Deno.test("makeProcess() refuses targets that need signal where none is left", () => {
  const make = (target: "epsilon" | "score" | "edm") =>
    makeProcess({
      ...options("flow"),
      ...{ target, weighting: "uniform", variance: "fixedlarge", clipX0: true },
    });
  assertThrows(() => make("epsilon"), RangeError, "ends without");
  assertThrows(() => make("score"), RangeError, "ends without");
  assert(make("edm").tables.toX0.output.every(Number.isFinite));
});

Deno.test("parseConfig() checks what a schedule goes by, and names the key", () => {
  const parse = (...pairs: string[]) =>
    parseConfig("{}", {
      path: "x.json",
      overrides: pairs.map((pair): [string, string] => {
        const [key, value] = pair.split("=");
        return [`diffusion.${key}`, value!];
      }),
    });
  const cases: [string[], string][] = [
    [["schedule=trained"], "scheduleOptions.betas must hold 1000 betas"],
    [["schedule=spectral"], "scheduleOptions.spectrum must hold the power of at least 2"],
    [
      ["schedule=spectral", "scheduleOptions.spectrum=[2,1]", "scheduleOptions.spectrumHigh=1e-9"],
      "scheduleOptions.spectrumHigh must make the largest noise larger",
    ],
    [["schedule=sigmoid", "scheduleOptions.sigmoidEnd=-4"], "sigmoidEnd must be above"],
    [["schedule=karras", "scheduleOptions.sigmaMax=1e-4"], "sigmaMax must be above"],
    [["schedule=karras", "scheduleOptions.shift=3"], "shift must be 1"],
    [["schedule=flow", "target=v", "scheduleOptions.zeroTerminalSnr=true"], "must be false"],
    [["schedule=flow"], "target must be another for schedule flow"],
    [["scheduleOptions.zeroTerminalSnr=true"], "target must be another"],
    [["schedule=linear-scaled", "timesteps=20"], "timesteps must be above 20"],
  ];
  for (const [pairs, message] of cases) assertThrows(() => parse(...pairs), UsageError, message);
  assertEquals(parse("schedule=flow", "target=velocity").diffusion.schedule, "flow");
});
