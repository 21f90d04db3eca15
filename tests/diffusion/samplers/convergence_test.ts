/**
 * The order of every solver, on Gaussian data of deviation S, where the best network and the solution
 * of the probability flow are known: x / sqrt(S^2 signal^2 + noise^2) stays as it is.
 */
import { follow } from "../../../commands/verify/follow.ts";
import { isEvaluation, type Move } from "../../../diffusion/moves.ts";
import { makeProcess, processOn } from "../../../diffusion/process.ts";
import {
  SAMPLER_NAMES,
  samplerMoves,
  type SamplerOptions,
} from "../../../diffusion/samplers/registry.ts";
import { levelOf, type NoiseLevel, scheduleFromLevels } from "../../../diffusion/schedule.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const S = 0.5;
/** Nothing may end at the clean image: the last step would be of first order. */
const OPEN = { end: "first" } as const;

const deviation = ({ signal, noise }: NoiseLevel) => Math.hypot(S * signal, noise);

/** Images with noise on top, from sigma 0.05 to 10, known by their sigma. */
const SIGMAS = processOn(
  scheduleFromLevels(
    Array.from({ length: 64 }, (_, i) => ({ signal: 1, noise: 0.05 * 200 ** (i / 63) })),
    (full) => ({
      clean: 0,
      values: Float64Array.from(full, ({ noise }) => noise),
      condition: (sigma) => Math.log(sigma) / 4,
      at: (noise) => levelOf({ signal: 1, noise }),
      space: () => {
        throw new Error("spacings of timesteps are not for sigmas");
      },
    }),
  ),
  { target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
);

/** The straight line from image to noise, told by its share of noise. */
const FLOW = processOn(
  scheduleFromLevels(
    Array.from({ length: 50 }, (_, i) => ({ signal: 0.98 - i / 51, noise: 0.02 + i / 51 })),
    (full) => ({
      clean: 0,
      values: Float64Array.from(full, ({ noise }) => noise),
      condition: (time) => time,
      at: (time) => levelOf({ signal: 1 - time, noise: time }),
      space: (_, steps) => {
        const [high, low] = [0.02 + 49 / 51, 0.02];
        return Array.from({ length: steps! }, (_, i) => high + i / (steps! - 1) * (low - high));
      },
    }),
  ),
  { target: "x0", weighting: "uniform", variance: "fixedlarge", clipX0: false },
);

/** A fine table, so that steps of any number are equal. */
const TIMESTEPS = makeProcess({
  ...{ timesteps: 961, schedule: "linear-torch", betaStart: 1e-3, betaEnd: 0.02 },
  ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
});

/** The best network of a process for Gaussian data, in what it outputs. */
function network(process: typeof SIGMAS, target: "epsilon" | "x0") {
  return (x: Float64Array, { timestep }: { timestep: number }) => {
    const level = process.schedule.at(timestep), power = deviation(level) ** 2;
    const share = target === "epsilon" ? level.noise / power : S ** 2 * level.signal / power;
    return x.map((value) => share * value);
  };
}

/** The share of the start, and of each move's noise, that is in the image at the end. */
function shares(process: typeof SIGMAS, target: "epsilon" | "x0", moves: readonly Move[]) {
  const ask = network(process, target);
  const from = (start: number, noisy: number) =>
    follow(moves, [start], { network: ask, noise: (move) => [move === noisy ? 1 : 0] })[0]!;
  const drawn = moves.flatMap((move, i) =>
    (isEvaluation(move) ? move.noise : move.renoise.noise) > 0 ? [i] : []
  );
  return { start: from(1, -1), noises: drawn.map((i) => from(0, i)) };
}

/** How far the deviation of images is from what it should be: relative. */
function errorOf(
  [process, target]: readonly [typeof SIGMAS, "epsilon" | "x0"],
  sampler: SamplerOptions,
): number {
  const moves = samplerMoves(process, sampler);
  const steps = moves.filter(isEvaluation);
  const { start, noises } = shares(process, target, moves);
  const begun = deviation(process.schedule.at(steps[0]!.timestep));
  const ended = deviation(process.schedule.at(steps.at(-1)!.previous));
  return Math.abs(Math.hypot(start * begun, ...noises) / ended - 1);
}

/** Orders that errors show from one number of steps to twice as many. */
function ordersOf(errors: readonly number[]): number[] {
  return errors.slice(1).map((error, i) => Math.log2(errors[i]! / error));
}

type Case = readonly [
  name: string,
  on: readonly [typeof SIGMAS, "epsilon" | "x0"],
  order: number,
  sampler: Pick<SamplerOptions, "name"> & Partial<SamplerOptions>,
  steps: readonly number[],
];

const KARRAS = { ...OPEN, spacing: "karras" } as const;
const EVEN = { ...OPEN, spacing: "exponential" } as const;
const onSigmas = [SIGMAS, "epsilon"] as const, onFlow = [FLOW, "x0"] as const;
const onTimesteps = [TIMESTEPS, "epsilon"] as const;
const FAR = [17, 33, 65, 129], NEAR = [33, 65, 129, 257];
/**
 * Levels of `count` equal steps in log sigma after three tiny ones, in which methods that go by earlier
 * predictions gather them: else the first step, which is Euler's, would hide what they do.
 */
function gathered(count: number): number[] {
  const [high, low] = [Math.log(10), Math.log(0.05)];
  const tiny = (high - low) / count ** 2;
  const start = high - 3 * tiny;
  return [
    ...[high, high - tiny, high - 2 * tiny],
    ...Array.from({ length: count + 1 }, (_, i) => start + i / count * (low - start)),
  ].map((log, i, { length }) => i === length - 1 ? 0.05 : i === 0 ? 10 : Math.exp(log));
}

const LINE = { ...OPEN, spacing: "uniform" } as const;

const CASES: readonly Case[] = [
  ["euler", onSigmas, 1, { name: "euler", ...KARRAS }, FAR],
  ["ddim", onSigmas, 1, { name: "ddim", ...EVEN }, FAR],
  ["dpmpp-1s", onSigmas, 1, { name: "dpmpp-1s", ...EVEN }, FAR],
  ["heun", onSigmas, 2, { name: "heun", ...KARRAS }, FAR],
  ["midpoint", onSigmas, 2, { name: "midpoint", ...KARRAS }, FAR],
  ["rk4", onSigmas, 4, { name: "rk4", ...KARRAS }, FAR],
  ["euler of a flow", onFlow, 1, { name: "euler", ...LINE }, FAR],
  ["heun of a flow", onFlow, 2, { name: "heun", ...LINE }, FAR],
  ["midpoint of a flow", onFlow, 2, { name: "midpoint", ...LINE }, FAR],
  ["rk4 of a flow", onFlow, 4, { name: "rk4", ...LINE }, FAR],
  ["dpmpp-2s", onSigmas, 2, { name: "dpmpp-2s", ...EVEN }, FAR],
  ["dpmpp-2m", onSigmas, 2, { name: "dpmpp-2m", ...EVEN }, NEAR],
  ["dpmpp-3m", onSigmas, 3, { name: "dpmpp-3m", ...OPEN }, NEAR],
  ["unipc of order 1", onSigmas, 2, { name: "unipc", order: 1, ...OPEN }, NEAR],
  ["unipc of order 2", onSigmas, 3, { name: "unipc", order: 2, ...OPEN }, NEAR],
  ["unipc of order 3", onSigmas, 4, { name: "unipc", order: 3, ...OPEN }, NEAR],
  ["deis of order 2", onSigmas, 2, { name: "deis", order: 2, ...OPEN }, NEAR],
  // With more steps the error passes through 0 and back.
  ["deis of order 3", onSigmas, 3, { name: "deis", order: 3, ...OPEN }, [9, 15, 30]],
  ["lms of order 1", onSigmas, 1, { name: "lms", order: 1, ...OPEN }, NEAR],
  ["lms of order 2", onSigmas, 2, { name: "lms", order: 2, ...OPEN }, NEAR],
  ["lms of order 3", onSigmas, 3, { name: "lms", order: 3, ...OPEN }, NEAR],
  ["lms of order 4", onSigmas, 4, { name: "lms", order: 4, ...OPEN }, NEAR],
  ["pndm", onTimesteps, 2, { name: "pndm", ...LINE }, [60, 120, 240, 480]],
  ["pndm with rk", onTimesteps, 2, { name: "pndm", rungeKutta: true, ...LINE }, [
    60,
    120,
    240,
    480,
  ]],
  ["euler-ancestral", onSigmas, 1, { name: "euler-ancestral", ...EVEN }, FAR],
  ["ddim of eta 0.5", onSigmas, 1, { name: "ddim", eta: 0.5, ...EVEN }, FAR],
  ["ancestral", onTimesteps, 1, { name: "ancestral", ...LINE }, [60, 120, 240, 480]],
  ["dpmpp-2s-sde", onSigmas, 2, { name: "dpmpp-2s-sde", ...EVEN }, FAR],
  ["dpmpp-2m-sde", onSigmas, 2, { name: "dpmpp-2m-sde", ...EVEN }, FAR],
  // What the noise does within a step is left out of the polynomials, which leaves order 2.
  ["dpmpp-3m-sde", onSigmas, 2, { name: "dpmpp-3m-sde", ...OPEN }, FAR],
  ["heun with churn", onSigmas, 1, { name: "heun", churn: 1, ...KARRAS }, FAR],
];

Deno.test("every solver has its order measured", () => {
  const measured = new Set<string>(CASES.map(([, , , { name }]) => name));
  // ddpm is ancestral over every timestep, of which there are no more; consistency has no order.
  assertEquals(SAMPLER_NAMES.filter((name) => !measured.has(name)), ["ddpm", "consistency"]);
});

function errorsOf([, on, , sampler, steps]: Case): number[] {
  return steps.map((count) =>
    errorOf(on, {
      ...{ ...sampler, steps: count },
      ...sampler.spacing === undefined && { levels: gathered(count) },
    })
  );
}

for (const one of CASES) {
  const [name, , order] = one;
  Deno.test(`${name} converges with order ${order} on Gaussian data`, () => {
    const errors = errorsOf(one);
    const found = ordersOf(errors);
    assert(
      found.at(-1)! > order - 0.3 && errors.at(-1)! < 0.2,
      `orders ${found}, errors ${errors}`,
    );
  });
}

const published = (
  name: "dpmpp-3m" | "dpmpp-3m-sde",
  secondDifference: "published" | "diffusers",
): Case => [`${name}, ${secondDifference}`, onSigmas, 2, { name, secondDifference, ...OPEN }, FAR];

Deno.test("dpmpp-3m and dpmpp-3m-sde as others weigh the second difference lose the order that those lose", () => {
  const cases: readonly [Case, least: number, most: number][] = [
    [published("dpmpp-3m", "published"), 1.7, 2.3],
    [published("dpmpp-3m-sde", "published"), 1.7, 2.3],
    [published("dpmpp-3m-sde", "diffusers"), 0, 1.3],
  ];
  for (const [one, least, most] of cases) {
    const found = ordersOf(errorsOf(one)).at(-1)!;
    assert(found > least && found < most, `${one[0]}: order ${found}`);
  }
});

Deno.test("consistency gives the data's deviation in any number of steps, asked of a consistency model", () => {
  // What the probability flow takes an image to: its deviation goes to the data's, in one step.
  const ask = (x: Float64Array, { timestep }: { timestep: number }) =>
    x.map((value) => S * value / deviation(FLOW.schedule.at(timestep)));
  for (const steps of [1, 2, 7]) {
    const levels = Array.from({ length: steps }, (_, i) => 0.9 - 0.1 * i);
    const moves = samplerMoves(FLOW, { name: "consistency", steps, levels });
    const begun = deviation(FLOW.schedule.at(levels[0]!));
    const of = (start: number, noisy: number) =>
      follow(moves, [start], { network: ask, noise: (move) => [move === noisy ? 1 : 0] })[0]!;
    const ended = Math.hypot(of(begun, -1), ...moves.map((_, i) => of(0, i)));
    assert(Math.abs(ended / S - 1) < 1e-12, `${steps} steps give ${ended}`);
  }
});
