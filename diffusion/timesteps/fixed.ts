/**
 * Distributions of timesteps that do not change while training: a table of probabilities.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { reshape } from "../../device/tensor.ts";
import { gatherRowsForward } from "../../kernels/layout/gather_rows.ts";
import { tableTimesteps, timestepTable } from "../../kernels/process/timesteps/table.ts";
import { STREAMS } from "../../support/random_streams.ts";
import type { TimestepSampler } from "./record.ts";

/** Draws by probabilities [T]; with `correct`, losses are weighted by 1 / (T q_t). */
export function fixedTimesteps(
  gpu: Gpu,
  density: Float64Array,
  correct: boolean,
): TimestepSampler {
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

/** Points a cell at which {@linkcode shareDensity} takes a density. */
const POINTS = 16;

/**
 * Probabilities [T] of a density over the share of the way from image to noise, of which timestep t has
 * (t/T, (t+1)/T).
 *
 * @param density In proportion to it, at shares between 0 and 1, which are never asked for.
 */
export function shareDensity(
  timesteps: number,
  density: (share: number) => number,
): Float64Array {
  const masses = Float64Array.from({ length: timesteps }, (_, t) => {
    let sum = 0;
    for (let i = 0; i < POINTS; i++) sum += density((t + (i + 0.5) / POINTS) / timesteps);
    return sum;
  });
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  return masses.map((mass) => mass / total);
}
