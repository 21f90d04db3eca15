/**
 * The way of a sample from noise to image: the levels at which the network is asked, and the one where
 * it ends. Solvers are functions of a path, so that they know neither timesteps nor how those were
 * spaced.
 *
 * @module
 */
import type { OutputShares } from "./parameterization.ts";
import type { Process } from "./process.ts";
import type { Level } from "./schedule.ts";
import { levelsOf, type PathSettings, sigmaOf } from "./spacing.ts";

/** A level with its number. */
export interface NumberedLevel extends Level {
  /** What samplers know it by: a timestep, perhaps between two; a sigma; a time. */
  readonly level: number;
}

/** A level at which the network is asked. */
export interface Stop extends NumberedLevel {
  /** The x0 that its output implies there. */
  readonly toX0: OutputShares;
  /** The noise that it implies. */
  readonly toNoise: OutputShares;
  /** Where a step from here leads if that is not the next stop. */
  readonly to?: NumberedLevel;
}

/** See the module. */
export interface Path {
  /** At least one. */
  readonly stops: readonly Stop[];
  readonly end: NumberedLevel;
  /** Whether predicted x0 are clipped. */
  readonly clip: boolean;
  /** Whether its levels are picked for other frequencies as well: a stage may lie elsewhere in a step. */
  readonly isOneOfMany?: boolean;
  /** The stop of a noise-to-signal ratio, or null where the network cannot be asked. */
  at(sigma: number): Stop | null;
  /**
   * The stop of a level.
   *
   * @throws {RangeError} When the network cannot be asked there.
   */
  stop(level: number): Stop;
}

/**
 * The path of a sample.
 *
 * @throws {RangeError} When a setting is out of its range, or the network cannot be asked at a level.
 */
export function pathOf(process: Process, settings: PathSettings): Path {
  const { schedule, clipX0, steering } = process;
  const stop = (level: number) => stopAt(process, level);
  const stops = (steering?.levels(settings) ?? levelsOf(schedule, settings)).map(stop);
  const end = settings.end === "first" ? schedule.values[0]! : schedule.clean;
  if (stops.length > 1 && stops.at(-1)!.level === end) stops.pop();
  const [least, most] = [schedule.values[0]!, schedule.values.at(-1)!].map((level) =>
    sigmaOf(schedule.at(level))
  );
  return {
    ...{ stops, clip: clipX0, stop, ...steering && { isOneOfMany: true } },
    end: { ...schedule.at(end), level: end },
    at(sigma) {
      if (steering) {
        const level = steering.next(sigma);
        return level === null ? null : definedAt(process, level);
      }
      // Networks of continuous levels may know what to do with a clean image, of which a clipped one
      // tells no noise.
      if (sigma === 0) {
        return schedule.condition && !clipX0 ? definedAt(process, schedule.clean) : null;
      }
      return sigma < least! || sigma > most! ? null : stop(schedule.find(sigma));
    },
  };
}

/** Where a step leads. */
export function nextOf({ stops, end }: Path, i: number): NumberedLevel {
  return stops[i]!.to ?? stops[i + 1] ?? end;
}

/**
 * The way back, from an image to its noise: the least noisy stop first.
 *
 * @throws {RangeError} When the path has fewer than two stops.
 */
export function reversed(path: Path): Path {
  const stops = path.stops.toReversed();
  const end = stops.pop();
  if (!end || stops.length === 0) {
    throw new RangeError("Cannot go from image to noise: there must be at least 2 steps, got 1");
  }
  return { ...path, stops, end };
}

/** A level where the network is asked, or null where what it outputs says nothing of the image. */
function definedAt(process: Process, level: number): Stop | null {
  const stop = {
    ...process.schedule.at(level),
    ...{ level, toX0: process.toX0(level), toNoise: process.toNoise(level) },
  };
  const shares = [stop.toX0, stop.toNoise].flatMap(({ xt, output }) => [xt, output]);
  return shares.every(Number.isFinite) ? stop : null;
}

function stopAt(process: Process, level: number): Stop {
  const stop = definedAt(process, level);
  if (stop) return stop;
  throw new RangeError(
    `Cannot sample at level ${level}: what this network outputs says nothing of the image there, ` +
      "take a sampler and a spacing that keep to the timesteps of training",
  );
}

/** Half of log SNR: the time in which solvers of the exponential kind go. */
export function lambdaOf({ signal, noise }: Level): number {
  return Math.log(signal / noise);
}
