import { makeProcess } from "../../diffusion/process.ts";
import { lambdaOf, pathOf, reversed } from "../../diffusion/path.ts";
import { inversionMoves, samplerMoves } from "../../diffusion/samplers/registry.ts";
import {
  sigmaOf,
  spaceTimesteps,
  type SpacingName,
  TIMESTEP_SPACINGS,
} from "../../diffusion/spacing.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import { follow } from "../../commands/verify/follow.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";

const options: Parameters<typeof makeProcess>[0] = {
  ...{ timesteps: 1000, schedule: "linear-torch", betaStart: 1e-4, betaEnd: 0.02 },
  ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
};
const process = makeProcess(options);

Deno.test("Schedule.find() undoes Schedule.at(), between timesteps too", () => {
  const { at, find } = process.schedule;
  for (const t of [0, 0.25, 7, 499.5, 998.9, 999]) {
    const level = at(t);
    assertAllClose([level.signalPower + level.noisePower], [1], { rtol: 1e-12 });
    assertAllClose([find(sigmaOf(level))], [t], { rtol: 1e-9, atol: 1e-9 });
  }
  assert(sigmaOf(at(7.5)) > sigmaOf(at(7)) && sigmaOf(at(7.5)) < sigmaOf(at(8)));
  assertThrows(() => find(1e-4), RangeError, "Cannot find a noise level: its sigma must be from");
  assertThrows(() => at(-0.5), RangeError, "timesteps must be -1 or from 0 to 999, got -0.5");
});

Deno.test("spaceTimesteps() gives every spacing's own timesteps", () => {
  const found = Object.fromEntries(
    TIMESTEP_SPACINGS.map((name) => [name, spaceTimesteps(name, 100, 7)]),
  );
  assertEquals(found, {
    uniform: [98, 84, 70, 56, 42, 28, 14, 0],
    linspace: [99, 84, 70, 56, 41, 27, 13],
    trailing: [99, 85, 70, 56, 42, 28, 13],
    leading: [84, 70, 56, 42, 28, 14, 0],
    inclusive: [99, 82, 66, 50, 33, 16, 0],
    truncated: [99, 82, 66, 49, 33, 16, 0],
    "from-last": [99, 85, 71, 57, 43, 29, 15, 1],
    quadratic: [80, 55, 35, 20, 8, 2, 0],
    // scipy.stats.beta.ppf(1 - i / 7, 0.6, 0.6)
    beta: [99, 92, 78, 59, 40, 21, 7],
  });
});

Deno.test("spaceTimesteps() rounds what lies half-way as numpy does", () => {
  const all = (name: SpacingName, steps: number) => spaceTimesteps(name, 1000, steps);
  // numpy 1.24: round(linspace(0, 999, 31)), round(arange(1000, 0, -1000 / 48)) - 1 and
  // int(linspace(0, sqrt(800), 16)^2), all reversed where they ascend.
  assertEquals(all("inclusive", 31), [
    999,
    966,
    932,
    899,
    866,
    832,
    799,
    766,
    733,
    699,
    666,
    633,
    599,
    566,
    533,
    499,
    466,
    433,
    400,
    366,
    333,
    300,
    266,
    233,
    200,
    166,
    133,
    100,
    67,
    33,
    0,
  ]);
  assertEquals(all("trailing", 48), [
    999,
    978,
    957,
    936,
    916,
    895,
    874,
    853,
    832,
    811,
    791,
    770,
    749,
    728,
    707,
    686,
    666,
    645,
    624,
    603,
    582,
    561,
    541,
    520,
    499,
    478,
    457,
    436,
    416,
    395,
    374,
    353,
    332,
    311,
    291,
    270,
    249,
    228,
    207,
    186,
    166,
    145,
    124,
    103,
    82,
    61,
    41,
    20,
  ]);
  assertEquals(all("quadratic", 16), [
    800,
    696,
    600,
    511,
    430,
    355,
    287,
    227,
    174,
    127,
    88,
    56,
    31,
    14,
    3,
    0,
  ]);
});

Deno.test("pathOf() spaces sigmas from the noisiest level to the least noisy", () => {
  for (const spacing of ["karras", "exponential"] as const) {
    const { stops, end } = pathOf(process, { steps: 9, spacing });
    assertEquals([stops.length, stops[0]!.level, stops.at(-1)!.level, end.level], [9, 999, 0, -1]);
    const steps = stops.map(spacing === "karras" ? (s) => sigmaOf(s) ** (1 / 7) : lambdaOf);
    const gaps = steps.slice(1).map((step, i) => step - steps[i]!);
    assertAllClose(gaps, gaps.map(() => gaps[0]!), { rtol: 1e-9 });
  }
});

Deno.test("pathOf() takes an offset, given levels and another end, and refuses what is out of range", () => {
  const settings = { steps: 4, spacing: "leading" } as const;
  const levels = (more: object) =>
    pathOf(process, { ...settings, ...more }).stops.map(({ level }) => level);
  assertEquals(levels({ offset: 1 }), [751, 501, 251, 1]);
  assertEquals(levels({ levels: [900, 400.5, 3] }), [900, 400.5, 3]);
  const { stops, end } = pathOf(process, { ...settings, end: "first" });
  assertEquals([stops.map(({ level }) => level), end.level], [[750, 500, 250], 0]);
  assertThrows(() => levels({ offset: 300 }), RangeError, "Cannot space timesteps: the offset");
  assertThrows(() => levels({ spacing: "trailing", offset: 1 }), RangeError, "but for the spacing");
  assertThrows(() => levels({ levels: [3, 400] }), RangeError, "got 400 as number 2");
  assertThrows(() => levels({ levels: [1000] }), RangeError, "at most 999");
  assertThrows(() => levels({ spacing: "karras", steps: 0 }), RangeError, "Cannot space levels");
});

Deno.test("pathOf() refuses levels where an output says nothing of the image", () => {
  const mean = makeProcess({ ...options, target: "xprev" });
  const ask = () => pathOf(mean, { steps: 5, spacing: "karras" });
  assertThrows(ask, RangeError, "what this network outputs says nothing of the image there");
});

Deno.test("samplerMoves() of pndm refuses steps that are not equal", () => {
  const moves = () => samplerMoves(process, { name: "pndm", steps: 5, spacing: "quadratic" });
  assertThrows(moves, RangeError, "Cannot sample with pndm: its steps must be equal");
});

Deno.test("samplerMoves() bounds what is predicted as the options say", () => {
  const steps = (more: object) =>
    samplerMoves(process, { name: "ddim", steps: 3, ...more }).filter(isEvaluation);
  assert(steps({}).every(({ clip, threshold }) => !clip && !threshold));
  const [first] = steps({ threshold: 0.9, thresholdMax: 3 });
  assertEquals([first!.clip, first!.threshold], [true, { ratio: 0.9, most: 3 }]);
  const clipping = makeProcess({ ...options, clipX0: true });
  const [step] = samplerMoves(clipping, { name: "ddim", steps: 3, clipRange: 2 });
  assert(isEvaluation(step!) && step.clip && step.range === 2);
});

/** The best network for Gaussian data of deviation 1/2. */
const network = (x: Float64Array, { timestep }: { timestep: number }) => {
  const { noise, signalPower, noisePower } = process.schedule.at(timestep);
  return x.map((value) => noise * value / (signalPower / 4 + noisePower));
};

Deno.test("inversionMoves() lead to the noise that the sampler makes the image from", () => {
  for (const name of ["heun", "ddim", "dpmpp-2m", "unipc"] as const) {
    const sampler = { name, steps: 60, spacing: "karras" } as const;
    const noise = follow(inversionMoves(process, sampler), [0.4], { network });
    const [back] = follow(samplerMoves(process, sampler), noise, { network });
    const first = process.schedule.at(999);
    // x / deviation stays along the flow.
    const exact = 0.4 / 0.5 * Math.sqrt(first.signalPower / 4 + first.noisePower);
    assertAllClose(noise, [exact], { rtol: name === "ddim" ? 0.1 : 0.01 });
    assertAllClose([back!], [0.4], { rtol: name === "ddim" ? 0.1 : 0.01 });
  }
});

Deno.test("reversed() and inversionMoves() refuse one step and samplers that draw noise", () => {
  assertThrows(
    () => reversed(pathOf(process, { steps: 1, spacing: "trailing" })),
    RangeError,
    "at least 2 steps",
  );
  for (
    const sampler of [{ name: "ddim", eta: 1 }, { name: "dpmpp-2m-sde" }, {
      name: "heun",
      churn: 9,
    }] as const
  ) {
    const invert = () => inversionMoves(process, { ...sampler, steps: 9 });
    assertThrows(invert, RangeError, `Cannot invert with ${sampler.name}`);
  }
});

Deno.test("samplerMoves() go along a flow, whose noisiest level has no signal, or say that they cannot", () => {
  const flow = makeProcess({ ...options, schedule: "flow", target: "velocity" });
  const best = (x: Float64Array, { timestep }: { timestep: number }) => {
    const { signal, noise } = flow.schedule.at(timestep);
    const power = signal ** 2 / 4 + noise ** 2;
    return x.map((value) => (noise - signal / 4) / power * value);
  };
  for (
    const name of ["euler", "heun", "midpoint", "rk4", "ddim", "dpmpp-2s", "dpmpp-2m"] as const
  ) {
    const [end] = follow(samplerMoves(flow, { name, steps: 200 }), [1], { network: best });
    assertAllClose([end!], [0.5], { rtol: 0.03, name });
  }
  const lms = () => samplerMoves(flow, { name: "lms", steps: 20 });
  assertThrows(lms, RangeError, "must have some signal, level 1 has none; take euler");
  const karras = () => samplerMoves(flow, { name: "euler", steps: 20, spacing: "karras" });
  assertThrows(karras, RangeError, "the noisiest level must have some signal");
});

Deno.test("samplerMoves() go to clean images on schedules of log SNR, clipped or not", () => {
  for (const clipX0 of [true, false]) {
    const continuous = makeProcess({ ...options, schedule: "log-snr-linear", clipX0 });
    const best = (x: Float64Array, { timestep }: { timestep: number }) => {
      const { noise, signalPower, noisePower } = continuous.schedule.at(timestep);
      return x.map((value) => noise * value / (signalPower / 4 + noisePower));
    };
    for (
      const name of [
        ...["euler", "heun", "midpoint", "rk4", "ddim", "deis", "lms", "pndm"] as const,
        ...["dpmpp-1s", "dpmpp-2s", "dpmpp-2m", "dpmpp-3m", "unipc"] as const,
      ]
    ) {
      const moves = samplerMoves(continuous, { name, steps: 100 });
      const [end] = follow(moves, [1], { network: best });
      assertAllClose([end!], [0.5], { rtol: 0.05, name: `${name}, clipX0 ${clipX0}` });
    }
    // The last step of Heun's method has no second evaluation where a clipped image tells no noise.
    const evaluations = samplerMoves(continuous, { name: "heun", steps: 8 }).length;
    assertEquals(evaluations, clipX0 ? 15 : 16);
  }
});
