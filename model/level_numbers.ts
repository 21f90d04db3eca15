/**
 * Noise levels as numbers.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { type LevelInput, levelTensor } from "../autograd/network_inputs.ts";
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { reshape } from "../autograd/ops/reshape.ts";

/**
 * Levels `[N]` as f32, for networks that compute with them.
 *
 * @param level Timesteps, u32, or what a process tells of a level, f32, which is taken as it is.
 * @param timesteps Timesteps that may be asked for: 0 to this, exclusive.
 */
export function levelNumbers(graph: Graph, level: LevelInput, timesteps: number): Tensor {
  const levels = levelTensor(graph, level);
  if (levels.ref.dtype !== "u32") return levels;
  const table = graph.capture.table(
    `whole numbers below ${timesteps}`,
    [timesteps, 1],
    () => Float32Array.from({ length: timesteps }, (_, t) => t),
  );
  return reshape(gatherRows(graph.constant(table), levels), level.shape);
}
