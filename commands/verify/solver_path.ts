/**
 * Paths of recorded runs, from levels and what the network is said to predict.
 *
 * @module
 */
import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import type { OutputShares } from "../../diffusion/parameterization.ts";
import type { NumberedLevel, Path, Stop } from "../../diffusion/path.ts";
import { levelOf, type NoiseLevel } from "../../diffusion/schedule.ts";
import { Unsupported } from "./golden.ts";

/** What a network predicts, as recorded code names it. */
const PREDICTIONS: Readonly<Record<string, (level: NoiseLevel) => OutputShares>> = {
  epsilon: ({ signal, noise }) => ({ xt: 1 / signal, output: -noise / signal }),
  sample: () => ({ xt: 0, output: 1 }),
  // Of the image scaled to variance 1, signal e - noise x0.
  v_prediction({ signal, noise }) {
    const power = signal ** 2 + noise ** 2;
    return { xt: signal / power, output: -noise / Math.sqrt(power) };
  },
  // noise - x0 on the straight line.
  flow_prediction: ({ noise }) => ({ xt: 1, output: -noise }),
};

/** The noise that it stands for. */
const NOISES: Readonly<Record<string, (level: NoiseLevel) => OutputShares>> = {
  epsilon: () => ({ xt: 0, output: 1 }),
  sample: ({ signal, noise }) => ({ xt: 1 / noise, output: -signal / noise }),
  v_prediction({ signal, noise }) {
    const power = signal ** 2 + noise ** 2;
    return { xt: noise / power, output: signal / Math.sqrt(power) };
  },
  flow_prediction: ({ signal }) => ({ xt: 1, output: signal }),
};

/** A level with a number. */
export function numbered(shares: NoiseLevel, level: number): NumberedLevel {
  return { ...levelOf(shares), level };
}

/**
 * A level where a network is asked.
 *
 * @throws {Unsupported} When it is not known what the network predicts.
 */
export function stopOf(shares: NoiseLevel, level: number, prediction: string): Stop {
  const toX0 = PREDICTIONS[prediction], toNoise = NOISES[prediction];
  if (!toX0 || !toNoise) throw new Unsupported(`prediction_type ${prediction} is not known`);
  return { ...numbered(shares, level), toX0: toX0(shares), toNoise: toNoise(shares) };
}

/** A path; solvers that ask between its stops are given where. */
export function recordedPath(
  stops: readonly Stop[],
  end: NumberedLevel,
  { clip = false, at = () => null, stop }: Partial<Pick<Path, "clip" | "at" | "stop">> = {},
): Path {
  return {
    ...{ stops, end, clip, at },
    stop: stop ?? ((level) => {
      throw new Unsupported(`there is no level ${level}`);
    }),
  };
}

/** The number of the step that a move belongs to: steps begin at the path's stops. */
export function stepAt(moves: readonly Move[], { stops }: Path, move: number): number {
  const begun = moves.slice(0, move + 1).filter((m) => !isEvaluation(m)).length;
  const asked = moves.slice(0, move).findLast(isEvaluation);
  const next = stops.findIndex(({ level }) => level === asked?.previous);
  return Math.max(0, asked ? next : begun - 1);
}
