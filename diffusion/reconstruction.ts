/**
 * Reconstruction: noise is added up to a timestep t0 and removed again. Images unlike those that the
 * network has seen come back changed the most, which is what outlier detection measures.
 *
 * @module
 */
import { isEvaluation, type Move } from "./moves.ts";
import type { Process } from "./process.ts";
import { samplerMoves, type SamplerOptions, SAMPLERS } from "./samplers/registry.ts";
import type { NoiseLevel } from "./schedule.ts";

/** How far images are noised, and the way back. */
export interface Reconstruction {
  /** Timestep whose noise is added: the first that the way back visits, t0 or just below. */
  readonly timestep: number;
  /** Its level, and that of each band of frequencies where they differ. */
  readonly level: NoiseLevel & { readonly bands?: readonly NoiseLevel[] };
  /** The way back. */
  readonly moves: readonly Move[];
}

/**
 * The way back from t0 = floor(factor T) - 1, over the share of the sampler's steps that lie below.
 * The first t0 + 1 timesteps are a process of their own, so no step can miss its end.
 *
 * @param factor In (0, 1].
 * @throws {RangeError} When the factor is out of its range, or leaves fewer than two timesteps.
 */
export function reconstructionMoves(
  process: Process,
  sampler: SamplerOptions,
  factor: number,
): Reconstruction {
  const { timesteps } = process.schedule;
  const count = Math.floor(timesteps * factor);
  if (!(factor > 0 && factor <= 1) || count < 2) {
    throw new RangeError(
      `Cannot reconstruct: the factor must be above ${2 / timesteps} and at most 1, got ${factor}`,
    );
  }
  const part = process.first(count);
  const steps = sampler.steps === null || SAMPLERS[sampler.name].steps === null
    ? null
    : Math.max(1, Math.round(sampler.steps * count / timesteps));
  const moves = samplerMoves(part, { ...sampler, steps });
  const { timestep } = moves.find(isEvaluation)!;
  const levelOf = ({ schedule }: Process): NoiseLevel => {
    const { signal, noise } = schedule.at(timestep);
    return { signal, noise };
  };
  const bands = part.banded?.processes.map(levelOf);
  return { timestep, level: { ...levelOf(part), ...bands && { bands } }, moves };
}
