/**
 * Every timestep alike (Ho et al. 2020, arXiv 2006.11239, algorithm 1).
 *
 * @module
 */
import { randomIntegers } from "../../kernels/process/random.ts";
import { STREAMS } from "../../support/random_streams.ts";
import type { TimestepRecord, TimestepSampler } from "./record.ts";

/** See the module. */
export const UNIFORM = {
  description: "every timestep alike",
  options: {},
  create: ({ schedule }) => uniformTimesteps(schedule.timesteps),
} as const satisfies TimestepRecord<unknown>;

/** Draws every timestep alike; also what losses are compared on. */
export function uniformTimesteps(timesteps: number): TimestepSampler {
  return {
    draw: (graph, samples) => ({
      timesteps: randomIntegers(graph.capture, graph.random, {
        samples,
        shape: [],
        stream: STREAMS.timesteps,
        below: timesteps,
      }),
      weights: null,
    }),
    state: new Map(),
    destroy: () => {},
  };
}
