/**
 * What EDM's networks are told, as tensors: noise levels as sinusoids or Fourier features, classes as
 * rows of a one and zeros.
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { type LevelInput, levelTensor } from "../../../autograd/network_inputs.ts";
import { columns } from "../../../autograd/ops/columns.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { gatherRows } from "../../../autograd/ops/gather_rows.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import type { TensorRef } from "../../../device/tensor.ts";

/**
 * Noise levels as f32 `[N]`: as they are, or timesteps as numbers.
 *
 * @param timesteps Timesteps that may be asked for.
 * @param unit What a timestep counts.
 */
export function levelNumbers(
  graph: Graph,
  level: LevelInput,
  timesteps: number,
  unit: number,
): Tensor {
  const levels = levelTensor(graph, level);
  if (levels.ref.dtype !== "u32") return levels;
  const table = graph.capture.table(
    `timesteps below ${timesteps} times ${unit}`,
    [timesteps, 1],
    () => Float32Array.from({ length: timesteps }, (_, t) => t * unit),
  );
  return reshape(gatherRows(graph.constant(table), levels), level.shape);
}

/**
 * Sinusoids of numbers `[N]`, `[N, width]`, of frequencies `10000^(-i / (width / 2 - shift))`.
 *
 * @param cosinesFirst Whether cosines lie before sines.
 */
export function sinusoids(
  numbers: Tensor,
  width: number,
  { shift, cosinesFirst }: { readonly shift: 0 | 1; readonly cosinesFirst: boolean },
): Tensor {
  const { graph } = numbers, half = width / 2;
  const table = graph.capture.table(
    `turns of ${half} frequencies from 1 to 1/10000, ${shift}`,
    [half],
    () =>
      Float32Array.from(
        { length: half },
        (_, i) => 10000 ** (-i / Math.max(1, half - shift)) / (2 * Math.PI),
      ),
  );
  const features = fourierFeatures(numbers, graph.constant(table));
  if (!cosinesFirst) return features;
  return concat(columns(features, half, half), columns(features, 0, half));
}

/**
 * Classes u32 `[N]` as rows with a one, `[N, classes]`; any number from `classes` on is a row of zeros,
 * no class.
 */
export function oneHot(graph: Graph, labels: TensorRef, classes: number): Tensor {
  const table = graph.capture.table(`one of ${classes} classes`, [classes + 1, classes], () => {
    const rows = new Float32Array((classes + 1) * classes);
    for (let i = 0; i < classes; i++) rows[i * classes + i] = 1;
    return rows;
  });
  return gatherRows(graph.constant(table), graph.constant(labels));
}
