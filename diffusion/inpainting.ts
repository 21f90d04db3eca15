/**
 * Inpainting by RePaint (Lugmayr et al. 2022, arXiv 2201.09865, algorithm 1): a network that knows
 * nothing of masks is sampled from, and after each step the known part is put back at the noise level
 * of the result (equation 8; the paper's index there is that of the step, which differs once a sampler
 * skips). So that both parts fit together, the way down is gone over again: `jump` steps are undone by
 * noise and taken anew, `resample` times in all at each `jump`-th timestep.
 *
 * `resample` 1 only puts the known part back; with `jump` 1 it is the algorithm as printed.
 *
 * @module
 */
import {
  isEvaluation,
  keptRegisters,
  type Move,
  type NoiseMove,
  type SamplerStep,
} from "./moves.ts";
import type { Process } from "./process.ts";
import { samplerMoves, type SamplerOptions } from "./samplers/registry.ts";
import { between, type NoiseLevel, type Schedule } from "./schedule.ts";

/** A move of sampling: a step, after which known parts are put back, or back to more noise. */
export type InpaintingMove = SamplerStep & { readonly known: NoiseLevel } | NoiseMove;

/**
 * Where the noise of known parts comes from: `fresh` is drawn each time, as RePaint has it; `start` is
 * that which the image starts from, all the way, as GenerativeZoo has it, where known parts also keep the
 * noise of timestep 0 if the last step skips to the clean image.
 */
export const KNOWN_NOISES = ["fresh", "start"] as const;

/** See {@linkcode KNOWN_NOISES}. */
export type KnownNoise = typeof KNOWN_NOISES[number];

/** A way from noise to whole images. */
export interface InpaintingWay {
  /** The noise of known parts; fresh unless given. */
  readonly knownNoise?: KnownNoise;
  /** Noise level of the known part where the way begins. */
  readonly start: NoiseLevel;
  /** What is done from there on, in order. */
  readonly moves: readonly InpaintingMove[];
}

/** How often a way is gone over again. */
export interface RepaintOptions {
  /** Times that each part of the way is taken, at least 1. */
  readonly resample: number;
  /** Steps that are undone at once, from 1 to one less than the steps. */
  readonly jump: number;
  /** The noise of known parts; fresh unless given. */
  readonly knownNoise?: KnownNoise;
}

/**
 * The moves of RePaint over the steps of a sampler.
 *
 * @throws {RangeError} When an option is outside its range, or the sampler looks back at the step
 *   before, which is another one after a jump.
 */
export function repaintMoves(
  process: Process,
  sampler: SamplerOptions,
  { resample, jump, knownNoise = "fresh" }: RepaintOptions,
): InpaintingWay {
  if (process.banded) {
    throw new RangeError(
      "Cannot inpaint with a process that differs by frequency: the noise of a pixel must depend on that " +
        "pixel alone, here known pixels of a noisy image depend on all others; take a run of process ddpm",
    );
  }
  const found: readonly Move[] = samplerMoves(process, sampler);
  const steps = found.filter(isEvaluation);
  if (
    steps.length < found.length || keptRegisters(found) > 0 ||
    steps.some(({ fromBefore = 0 }) => fromBefore !== 0)
  ) {
    throw new RangeError(
      `Cannot inpaint with ${sampler.name}: the sampler must not look back at earlier steps, take ` +
        "ddpm or ddim",
    );
  }
  const most = Math.max(1, steps.length - 1);
  for (
    const [name, value, limit] of [["resample", resample, Infinity], ["jump", jump, most]] as const
  ) {
    if (Number.isInteger(value) && value >= 1 && value <= limit) continue;
    const range = limit === Infinity ? "of at least 1" : `from 1 to ${limit}`;
    throw new RangeError(`Cannot inpaint: ${name} must be a whole number ${range}, got ${value}`);
  }
  const { schedule } = process;
  const start = levelAt(schedule, steps[0]!.timestep);
  const moves = walk(schedule, steps, { resample, jump });
  if (knownNoise === "start") keepLeastNoise(schedule, moves);
  return { start, moves, knownNoise };
}

/** Down the steps, and up again where it is due. */
function walk(
  schedule: Schedule,
  steps: readonly SamplerStep[],
  { resample, jump }: RepaintOptions,
): InpaintingMove[] {
  const moves: InpaintingMove[] = [];
  /** How often the way went up again, by steps left. */
  const risen = new Map<number, number>();
  for (let done = 0; done < steps.length;) {
    const step = steps[done++]!;
    moves.push({ ...step, known: levelAt(schedule, step.previous) });
    const left = steps.length - 1 - done;
    const times = risen.get(left) ?? 0;
    if (left < 0 || left % jump !== 0 || done < jump || times === resample - 1) continue;
    risen.set(left, times + 1);
    done -= jump;
    const { keptPower, addedPower } = between(
      schedule.at(step.previous),
      schedule.at(steps[done]!.timestep),
    );
    // Several steps of the forward process at once: equation 4 of Ho et al. from where it stands.
    moves.push({ renoise: { signal: Math.sqrt(keptPower), noise: Math.sqrt(addedPower) } });
  }
  return moves;
}

/** GenerativeZoo blends at timestep 0 at least, but after a step from there. */
function keepLeastNoise(schedule: Schedule, moves: InpaintingMove[]): void {
  const last = moves.at(-1), least = schedule.values[0]!;
  if (last === undefined || !isEvaluation(last) || last.timestep <= least) return;
  moves[moves.length - 1] = { ...last, known: levelAt(schedule, least) };
}

/** Shares of image and noise at a level. */
function levelAt(schedule: Schedule, level: number): NoiseLevel {
  const { signal, noise } = schedule.at(level);
  return { signal, noise };
}
