/**
 * The timesteps that training draws, by name:
 *
 * - `uniform`: every timestep alike (Ho et al. 2020, algorithm 1)
 * - `reweighted`: below tMax with probability p, uniform on either side
 * - `lognormal`: log sigma normal, sigma = sqrt((1 - A_t) / A_t) (Karras et al. 2022, arXiv
 *   2206.00364, table 1): the normal density at t times the width of t's cell on that axis
 * - `adaptive`: where losses have been large (Nichol and Dhariwal 2021, equation 18)
 *
 * @module
 */
import type { Graph } from "../autograd/graph.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { gatherRowsForward } from "../kernels/layout/gather_rows.ts";
import { randomIntegers } from "../kernels/process/random.ts";
import {
  adaptiveTimesteps,
  recordLosses,
  tableTimesteps,
  timestepTable,
} from "../kernels/process/timesteps.ts";
import { STREAMS } from "../support/random_streams.ts";
import type { DiffusionOptions, TimestepOptions, TimestepSamplerName } from "./options.ts";
import type { Schedule } from "./schedule.ts";

/** A batch's timesteps. */
export interface DrawnTimesteps {
  /** u32 `[n]`. */
  readonly timesteps: TensorRef;
  /** Factors of the samples' losses, f32 `[n]`; null where all are 1. */
  readonly weights: TensorRef | null;
}

/** A distribution of timesteps, with its tables on the GPU. */
export interface TimestepSampler {
  /** Records the drawing of `samples` timesteps; the graph must have a random key. */
  draw(graph: Graph, samples: number): DrawnTimesteps;
  /** Records what is to be learnt from a batch: its timesteps `[n]` and unweighted losses `[n]`. */
  readonly learn?: (capture: Capture, timesteps: TensorRef, losses: TensorRef) => void;
  /** What it has learnt, by name: a checkpoint must hold it. */
  readonly state: ReadonlyMap<string, TensorRef>;
  destroy(): void;
}

/** What a distribution is made from. */
interface Setting {
  readonly gpu: Gpu;
  readonly schedule: Schedule;
  readonly options: TimestepOptions;
  readonly tMax: DiffusionOptions["tMax"];
}

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

/**
 * Probabilities of `reweighted`, [T].
 *
 * @throws {RangeError} If `tMax` is not from 1 to T - 1, or the probability not between 0 and 1.
 */
export function reweightedDensity(
  timesteps: number,
  tMax: DiffusionOptions["tMax"],
  probability: number,
): Float64Array {
  if (tMax === "auto" || !Number.isInteger(tMax) || tMax < 1 || tMax >= timesteps) {
    throw new RangeError(
      `Cannot reweight timesteps: tMax must be a whole number from 1 to ${
        timesteps - 1
      }, got ${tMax}`,
    );
  }
  if (!(probability > 0 && probability < 1)) {
    throw new RangeError(
      `Cannot reweight timesteps: the probability must be between 0 and 1, got ${probability}`,
    );
  }
  return Float64Array.from(
    { length: timesteps },
    (_, t) => t < tMax ? probability / tMax : (1 - probability) / (timesteps - tMax),
  );
}

/** Probabilities of `lognormal`, [T]. */
export function lognormalDensity(
  schedule: Schedule,
  logMean: number,
  logDeviation: number,
): Float64Array {
  const logSigma = schedule.sqrtRecipm1AlphasCumprod.map((sigma) => Math.log(sigma));
  const density = logSigma.map((x, t) => {
    const before = logSigma[t - 1], after = logSigma[t + 1];
    // At the ends the cell reaches as far out as in.
    const width = ((after ?? 2 * x - before!) - (before ?? 2 * x - after!)) / 2;
    return width * Math.exp(-0.5 * ((x - logMean) / logDeviation) ** 2);
  });
  const total = density.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) {
    throw new RangeError(
      `Cannot draw timesteps: log sigma of mean ${logMean} and deviation ${logDeviation} must ` +
        `reach the schedule's, ${logSigma[0]!.toFixed(2)} to ${logSigma.at(-1)!.toFixed(2)}`,
    );
  }
  return density.map((value) => value / total);
}

/** A fixed distribution; with `correct`, weights 1 / (T q_t). */
function fixed(gpu: Gpu, density: Float64Array, correct: boolean): TimestepSampler {
  const timesteps = density.length;
  const data = timestepTable(density);
  const table = gpu.tensor([timesteps], { dtype: "u32", data, label: "timestep table" });
  const factors = correct
    ? gpu.tensor([timesteps, 1], {
      // Where the density underflows nothing is drawn.
      data: Float32Array.from(density, (q) => q > 0 ? 1 / (timesteps * q) : 0),
      label: "timestep weights",
    })
    : null;
  return {
    draw({ capture, random }, samples) {
      const drawn = tableTimesteps(capture, random, table, { samples, stream: STREAMS.timesteps });
      const weights = factors && gatherRowsForward(capture, factors, drawn);
      return { timesteps: drawn, weights: weights && reshape(weights, [samples]) };
    },
    state: new Map(),
    destroy() {
      gpu.destroyTensor(table);
      if (factors) gpu.destroyTensor(factors);
    },
  };
}

function adaptive({ gpu, schedule, options }: Setting): TimestepSampler {
  const { timesteps } = schedule;
  const { bins, decay, uniformShare } = options;
  const history = gpu.tensor([bins, 2], { label: "history of losses" });
  return {
    draw: ({ capture, random }, samples) =>
      adaptiveTimesteps(capture, random, history, {
        samples,
        timesteps,
        uniformShare,
        stream: STREAMS.timesteps,
      }),
    learn: (capture, drawn, losses) =>
      recordLosses(capture, history, drawn, losses, { timesteps, decay }),
    state: new Map([["diffusion/lossHistory", history]]),
    destroy: () => gpu.destroyTensor(history),
  };
}

/** The distributions. A new one is a function and a line here. */
const SAMPLERS: Readonly<Record<TimestepSamplerName, (setting: Setting) => TimestepSampler>> = {
  uniform: ({ schedule }) => uniformTimesteps(schedule.timesteps),
  reweighted: ({ gpu, schedule, options, tMax }) =>
    fixed(
      gpu,
      reweightedDensity(schedule.timesteps, tMax, options.probability),
      options.importanceCorrect,
    ),
  lognormal: ({ gpu, schedule, options }) =>
    fixed(
      gpu,
      lognormalDensity(schedule, options.logMean, options.logDeviation),
      options.importanceCorrect,
    ),
  adaptive,
};

/**
 * The distribution that the options name.
 *
 * @throws {RangeError} If an option is outside its range.
 */
export function createTimestepSampler(
  gpu: Gpu,
  schedule: Schedule,
  { timestepSampler: options, tMax }: DiffusionOptions,
): TimestepSampler {
  return SAMPLERS[options.name]({ gpu, schedule, options, tMax });
}
