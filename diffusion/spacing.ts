/**
 * Which timesteps a sampler that skips visits, in the order of sampling (descending). After the
 * last one comes timestep -1: the clean image.
 *
 * @module
 */
import { type Names, namesOf } from "./names.ts";

/** range(0, T, T // S) reversed (Song et al. 2021, official code). More than S where S does not divide T. */
function uniform(timesteps: number, steps: number): number[] {
  const stride = Math.floor(timesteps / steps);
  const ascending = [];
  for (let t = 0; t < timesteps; t += stride) ascending.push(t);
  return ascending.reverse();
}

/** int(linspace(-1, T - 1, S + 1)) without its -1, reversed (lucidrains' code). */
function linspace(timesteps: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) =>
    // Multiplied before it is divided, so that whole numbers come out exact.
    Math.trunc((steps - i) * timesteps / steps - 1));
}

/** round(T - i T / S) - 1 (Lin et al. 2024, arXiv 2305.08891, table 2): begins at T - 1. */
function trailing(timesteps: number, steps: number): number[] {
  return Array.from(
    { length: steps },
    (_, i) => roundHalfToEven((steps - i) * timesteps / steps) - 1,
  );
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The timesteps of each spacing. A new one is a function and a line here. */
const SPACINGS = { uniform, linspace, trailing } as const satisfies Readonly<
  Record<string, (timesteps: number, steps: number) => number[]>
>;

/** Ways to pick the timesteps of a sampler that skips. */
export const SPACING_NAMES: Names<typeof SPACINGS> = namesOf(SPACINGS);

/** @internal */
type Named = keyof typeof SPACINGS;

/** A way to pick the timesteps of a sampler that skips. */
export type SpacingName = Named;

/**
 * About `steps` of `timesteps` timesteps, descending.
 *
 * @throws {RangeError} if `steps` is not a whole number from 1 to `timesteps`
 */
export function spaceTimesteps(spacing: SpacingName, timesteps: number, steps: number): number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > timesteps) {
    throw new RangeError(
      `Cannot space timesteps: steps must be a whole number from 1 to ${timesteps}, got ${steps}`,
    );
  }
  return SPACINGS[spacing](timesteps, steps);
}
