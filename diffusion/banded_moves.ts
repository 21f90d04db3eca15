/**
 * A sampler's moves in a process that differs by frequency: those of each band side by side. A solver is linear
 * in x, x0 and e at each frequency, so that it is asked for the moves of every band's own process; levels are
 * picked by the noise of all frequencies together, as the network is asked about them at once.
 *
 * @module
 */
import { isEvaluation, type Move, type NoiseMove, type SamplerStep, thresholds } from "./moves.ts";
import type { Process, Steering } from "./process_on.ts";
import { levelsOf } from "./spacing.ts";

/** What moves are made for. */
interface Wanted {
  /** What is to be done, for errors: "sample with ddim". */
  readonly verb: string;
  readonly threshold?: number | null | undefined;
  /** Whether the solver extrapolates. */
  readonly extrapolates: boolean;
}

/**
 * The moves with coefficients by band.
 *
 * @param make Makes the moves of a process that is alike at all frequencies.
 * @throws {RangeError} As `make`, or when the sampler thresholds, or takes other levels in one band than in
 *   another.
 */
export function bandedMoves(
  process: Process,
  { verb, threshold = null, extrapolates }: Wanted,
  make: (process: Process) => Move[],
): Move[] {
  const { banded, schedule, clipX0 } = process;
  if (threshold !== null) {
    throw new RangeError(
      `Cannot ${verb}: dynamic thresholding must have a process that is alike at all frequencies, ` +
        "leave --threshold out",
    );
  }
  if (extrapolates && banded!.stiff) {
    throw new RangeError(
      `Cannot ${verb}: a sampler of process ${
        banded!.name
      } must not extrapolate, as the signal of fine ` +
        "detail changes many times over in a step; take ancestral, ddim, heun or dpmpp-2m",
    );
  }
  /** Levels that the solver asked for beside those of its path. */
  const asked: (number | null)[] = [];
  const levels: Steering["levels"] = (settings) => levelsOf(schedule, settings);
  const plain = planned(process, {
    levels,
    next(sigma) {
      asked.push(levelOf(process, sigma));
      return asked.at(-1)!;
    },
  });
  make(plain);
  const all = banded!.processes.map((own) => {
    let at = 0;
    return make({ ...own, clipX0, steering: { levels, next: () => asked[at++] ?? null } });
  });
  return all[0]!.map((move, i) => sideBySide(all.map((moves) => moves[i]), move, verb));
}

/** The process as a solver sees it that plans levels alone. */
function planned(process: Process, steering: Steering): Process {
  return { ...process, banded: null, steering };
}

/** The level of a sigma, if the network can be asked there. */
function levelOf({ schedule }: Process, sigma: number): number | null {
  if (sigma === 0) return schedule.condition ? schedule.clean : null;
  const [least, most] = [schedule.values[0]!, schedule.values.at(-1)!].map((level) => {
    const { signal, noise } = schedule.at(level);
    return noise / signal;
  });
  return sigma < least! || sigma > most! ? null : schedule.find(sigma);
}

/** One move of all bands. */
function sideBySide(moves: readonly (Move | undefined)[], first: Move, verb: string): Move {
  const fits = isEvaluation(first)
    ? moves.every((move) =>
      move && isEvaluation(move) && move.timestep === first.timestep &&
      move.previous === first.previous && !thresholds(move)
    )
    : moves.every((move) => move && !isEvaluation(move));
  if (!fits) {
    throw new RangeError(
      `Cannot ${verb}: it must take the same levels at all frequencies, here it picks them by their ` +
        "noise; leave options that go by sigma out, as churnMin and churnMax",
    );
  }
  if (isEvaluation(first)) return { ...first, bands: moves as SamplerStep[] };
  return { ...first, bands: (moves as NoiseMove[]).map(({ renoise }) => renoise) };
}
