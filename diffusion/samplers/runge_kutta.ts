/**
 * Explicit Runge-Kutta methods on the probability flow, with the noise of Karras et al. 2022 (arXiv
 * 2206.00364, algorithm 2) where asked for.
 *
 * Along a path the image is x = signal x0 + noise e. Divided by a scale and told by a time, its
 * derivative is a combination of the x0 and the e that the network predicts there:
 *
 *     y = x / scale,    dy / dtime = slope.x0 x0 + slope.noise e
 *
 * What a method does between two levels depends on these coordinates, though all end at one solution.
 *
 * @module
 */
import { choice, decimal, nullable, option, type OptionsOf } from "../../support/options.ts";
import type { Move, Shares } from "../moves.ts";
import { nextOf, type NumberedLevel, type Path, type Stop } from "../path.ts";
import type { NoiseLevel } from "../schedule.ts";
import { combine, DATA, evaluate, IMAGE, kept, noiseAt, type Weighted } from "../shares.ts";
import { sigmaOf } from "../spacing.ts";

/** See the module. */
export interface Coordinates {
  scale(level: NoiseLevel): number;
  time(level: NoiseLevel): number;
  slope(level: NoiseLevel): { readonly x0: number; readonly noise: number };
  /** Noise over signal at a time. */
  sigma(time: number): number;
}

/** The image with noise on top, told by its sigma (Karras et al., equation 1). */
const SIGMA: Coordinates = {
  scale: ({ signal }) => signal,
  time: sigmaOf,
  slope: () => ({ x0: 0, noise: 1 }),
  sigma: (time) => time,
};

/** The straight line between image and noise (Liu et al. 2022, arXiv 2209.03003, equation 1). */
const FLOW: Coordinates = {
  scale: ({ signal, noise }) => signal + noise,
  time: ({ signal, noise }) => noise / (signal + noise),
  slope: () => ({ x0: -1, noise: 1 }),
  sigma: (time) => time / (1 - time),
};

/** Coordinates by name. */
export const COORDINATES = { sigma: SIGMA, flow: FLOW } as const;

/** The option that picks them. */
export const COORDINATES_OPTION = {
  coordinates: option(
    choice(["auto", "sigma", "flow"]),
    "auto",
    "Along which lines a step is straight: of noise on top of the image, or from image to noise; " +
      "auto = flow where levels are such lines or one has no signal",
  ),
};

/** See {@linkcode COORDINATES_OPTION}; auto unless given. */
export type CoordinateSettings = Partial<OptionsOf<typeof COORDINATES_OPTION>>;

/** How far signal and noise of a flow may be from summing up to 1. */
const ROUNDING = 1e-9;

/** The coordinates that settings ask for. */
export function coordinatesOf(
  { stops }: Path,
  { coordinates = "auto" }: CoordinateSettings,
): Coordinates {
  if (coordinates !== "auto") return COORDINATES[coordinates];
  const straight = stops.every(({ signal, noise }) => Math.abs(signal + noise - 1) < ROUNDING);
  // A level without signal has no sigma.
  return straight || stops.some(({ signal }) => signal === 0) ? FLOW : SIGMA;
}

/** A method: stages at `nodes` of a step, each from the slopes before it, and what weighs them. */
export interface Tableau {
  readonly nodes: readonly number[];
  /** Of stage i + 2, weights of the slopes of stages 1 to i + 1. */
  readonly stages: readonly (readonly number[])[];
  readonly weights: readonly number[];
  /**
   * The method with its stages elsewhere, for a frequency at which the levels of the stages are no such shares
   * of a step; null where it has none. No method is of one stage alone.
   */
  at?(nodes: readonly number[]): Tableau | null;
}

/** One evaluation a step, first order. */
export const EULER: Tableau = { nodes: [0], stages: [], weights: [1] };

/**
 * Two evaluations a step, second order: the second at `alpha` of the step (Karras et al., algorithm 3).
 * 1 is Heun's method, 1/2 the midpoint method.
 */
export function secondOrder(alpha: number): Tableau {
  const last = 1 / (2 * alpha);
  return {
    ...{ nodes: [0, alpha], stages: [[alpha]], weights: [1 - last, last] },
    at: ([, node]) => secondOrder(node!),
  };
}

/** Kutta's 3/8 rule: four evaluations a step, fourth order. */
export const THREE_EIGHTHS: Tableau = {
  nodes: [0, 1 / 3, 2 / 3, 1],
  stages: [[1 / 3], [-1 / 3, 1], [1, -1, 1]],
  weights: [1 / 8, 3 / 8, 3 / 8, 1 / 8],
  at: ([, second, third]) => fourthOrder(second!, third!),
};

/** How far the stages of a fourth-order method may be from thirds: further on, its weights grow large. */
const NODE_RANGE = 0.1;

/** Kutta's methods of fourth order by their inner nodes (Kutta 1901); 1/3 and 2/3 are the 3/8 rule. */
function fourthOrder(a: number, b: number): Tableau | null {
  if (Math.abs(a - 1 / 3) > NODE_RANGE || Math.abs(b - 2 / 3) > NODE_RANGE) return null;
  const common = 6 * a * b - 4 * (a + b) + 3;
  const third = b * (b - a) / (2 * a * (1 - 2 * a));
  const ofSecond = (1 - a) * (a + b - 1 - (2 * b - 1) ** 2) / (2 * a * (b - a) * common);
  const ofThird = (1 - 2 * a) * (1 - a) * (1 - b) / (b * (b - a) * common);
  return {
    nodes: [0, a, b, 1],
    stages: [[a], [b - third, third], [1 - ofSecond - ofThird, ofSecond, ofThird]],
    weights: [
      1 / 2 + (1 - 2 * (a + b)) / (12 * a * b),
      (2 * b - 1) / (12 * a * (b - a) * (1 - a)),
      (1 - 2 * a) / (12 * b * (b - a) * (1 - b)),
      1 / 2 + (2 * (a + b) - 3) / (12 * (1 - a) * (1 - b)),
    ],
  };
}

/** Options of noise that is added before a step, and removed by it. */
export const CHURN = {
  churn: option(decimal({ min: 0 }), 0, "Noise added again over the whole way; 0 = none"),
  churnMin: option(decimal({ min: 0 }), 0, "Least sigma at which it is added"),
  churnMax: option(nullable(decimal({ min: 0 })), null, "Largest sigma at which it is; null = any"),
  churnNoise: option(decimal({ min: 0 }), 1, "Deviation of the added noise"),
};

/** See {@linkcode CHURN}. */
export type Churn = OptionsOf<typeof CHURN>;

/** Most of its sigma that a level rises before a step. */
const MOST_CHURN = Math.SQRT2 - 1;

/** How {@linkcode rungeKutta} goes. */
export interface RungeKutta {
  readonly tableau: Tableau;
  readonly coordinates: Coordinates;
  readonly churn?: Partial<Churn>;
}

/** The moves of a method along a path. Where the network cannot be asked for a stage, a step is Euler's. */
export function rungeKutta(path: Path, method: RungeKutta): Move[] {
  return path.stops.flatMap((stop, i): Move[] => {
    const { from, moves } = churned(path, stop, method.churn ?? {});
    return [...moves, ...stepOf(path, from, nextOf(path, i), method)];
  });
}

/** Adds noise before a step, if any is due. */
function churned(path: Path, stop: Stop, options: Partial<Churn>): { from: Stop; moves: Move[] } {
  const { churn = 0, churnMin = 0, churnMax = null, churnNoise = 1 } = options;
  const sigma = sigmaOf(stop);
  const rise = Math.min(churn / path.stops.length, MOST_CHURN);
  const due = rise > 0 && sigma >= churnMin && sigma <= (churnMax ?? Infinity);
  const from = due ? path.at(sigma * (1 + rise)) : null;
  if (!from) return { from: stop, moves: [] };
  const added = Math.sqrt(Math.max(0, sigmaOf(from) ** 2 - sigma ** 2));
  const renoise = {
    signal: from.signal / stop.signal,
    noise: from.signal * churnNoise * added,
  };
  return { from, moves: [{ renoise }] };
}

/** The stops of a step's stages, or null where one cannot be asked. */
function stagesOf(
  path: Path,
  [from, to]: readonly [Stop, NumberedLevel],
  { tableau, coordinates }: RungeKutta,
): Stop[] | null {
  const start = coordinates.time(from), length = coordinates.time(to) - start;
  const stops = tableau.nodes.map((node) => {
    if (node === 0) return from;
    if (node === 1 && "toX0" in to) return to as Stop;
    return path.at(node === 1 ? sigmaOf(to) : coordinates.sigma(start + node * length));
  });
  return stops.every((stop) => stop !== null) ? stops : null;
}

/** One step: register 0 keeps where it began, and those after it the slopes of its stages. */
function stepOf(path: Path, from: Stop, to: NumberedLevel, method: RungeKutta): Move[] {
  const { coordinates, tableau } = method;
  const found = stagesOf(path, [from, to], method);
  const stops = found ?? [from];
  const start = coordinates.time(from), length = coordinates.time(to) - start;
  const { stages, weights } = found
    ? path.isOneOfMany
      ? moved(tableau, found.map((stop) => (coordinates.time(stop) - start) / length))
      : tableau
    : EULER;
  return stops.map((stop, i) => {
    const next = stops[i + 1] ?? to, last = i === stops.length - 1;
    const shares = last ? weights : stages[i]!;
    const scale = coordinates.scale(next);
    const slope = slopeAt(path, stop, coordinates);
    const slopes = shares.map((share, k): Weighted => [
      scale * length * share,
      k === i ? slope : kept(1 + k),
    ]);
    const begun: Weighted = [scale / coordinates.scale(from), i === 0 ? IMAGE : kept(0)];
    return evaluate(path, stop, {
      to: next.level,
      image: combine(begun, ...slopes),
      ...!last && {
        midway: true,
        keep: [i === 0 ? IMAGE : null, ...Array.from({ length: i }, () => null), slope],
      },
    });
  });
}

/** Nodes closer than this are the same: levels between timesteps are found in steps. */
const CLOSE = 1e-9;

/**
 * A method at the nodes that its stages have at one frequency.
 *
 * @throws {RangeError} When it has none there.
 */
function moved(tableau: Tableau, nodes: readonly number[]): Tableau {
  if (tableau.nodes.every((node, i) => Math.abs(node - nodes[i]!) < CLOSE)) return tableau;
  const found = tableau.at?.(nodes);
  if (found) return found;
  throw new RangeError(
    "Cannot take steps of a Runge-Kutta method of this order: its stages must lie at nearly the same shares " +
      "of a step at all frequencies, and this process changes some of them faster than others; take heun or " +
      "dpmpp-2m",
  );
}

/** The derivative that the network predicts at a stop. */
function slopeAt(path: Path, stop: Stop, { slope }: Coordinates): Shares {
  const { x0, noise } = slope(stop);
  const data = path.clip ? DATA : { x: stop.toX0.xt, f: stop.toX0.output };
  return combine([x0, data], [noise, noiseAt(path, stop)]);
}
