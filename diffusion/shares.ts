/**
 * Combinations of what an evaluation knows, for solvers to be written as they are printed: each term
 * is a share of the image, of what the network predicts, or of a kept image; and the evaluation that
 * such a combination makes.
 *
 * @module
 */
import type { SamplerStep, Shares } from "./moves.ts";
import type { Path, Stop } from "./path.ts";

/** The image. */
export const IMAGE: Shares = { x: 1 };
/** The predicted, perhaps clipped, x0. */
export const DATA: Shares = { x0: 1 };
/** The x0 that the evaluation before predicted. */
export const DATA_BEFORE: Shares = { before: 1 };

/** A kept image. */
export function kept(register: number): Shares {
  return { kept: [...new Array<number>(register).fill(0), 1] };
}

/** A term of a combination. */
export type Weighted = readonly [share: number, of: Shares];

/** The sum of terms; one of share 0 is left out whatever it is of. */
export function combine(...terms: readonly Weighted[]): Shares {
  const used = terms.filter(([share]) => share !== 0);
  const sum = (part: (of: Shares) => number | undefined) =>
    used.reduce((total, [share, of]) => total + share * (part(of) ?? 0), 0);
  const registers = Math.max(0, ...used.map(([, { kept = [] }]) => kept.length));
  return {
    x0: sum(({ x0 }) => x0),
    x: sum(({ x }) => x),
    f: sum(({ f }) => f),
    before: sum(({ before }) => before),
    kept: Array.from({ length: registers }, (_, i) => sum(({ kept }) => kept?.[i])),
  };
}

/**
 * The noise that is predicted: what is left of the image beside a clipped x0, or straight from the
 * network's output where nothing clips.
 */
export function noiseAt({ clip }: Pick<Path, "clip">, stop: Stop): Shares {
  return clip
    ? { x: 1 / stop.noise, x0: -stop.signal / stop.noise }
    : { x: stop.toNoise.xt, f: stop.toNoise.output };
}

/** What an evaluation leads to. */
export interface Outcome {
  /** The number of the level that it leads to. */
  readonly to: number;
  /** What the image becomes. */
  readonly image: Shares;
  /** Standard deviation of fresh noise in it; none unless given. */
  readonly noise?: number;
  /** What kept images become, by register. */
  readonly keep?: SamplerStep["keep"];
  /** Whether more evaluations of the same step follow. */
  readonly midway?: boolean;
}

/** An evaluation at a stop of a path. */
export function evaluate(
  { clip }: Pick<Path, "clip">,
  at: Stop,
  { to, image, noise = 0, keep, midway }: Outcome,
): SamplerStep {
  const { x0 = 0, x = 0, f = 0, before = 0, kept = [] } = image;
  return {
    ...{ timestep: at.level, previous: to },
    ...{ xToX0: at.toX0.xt, fToX0: at.toX0.output, clip },
    ...{ fromX0: x0, fromX: x, fromF: f, noise },
    ...before !== 0 && { fromBefore: before },
    ...kept.length > 0 && { fromKept: kept },
    ...keep && { keep },
    ...midway && { midway },
  };
}
