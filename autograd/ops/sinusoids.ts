import type { TensorRef } from "../../device/tensor.ts";
import { waveSlopes } from "../../kernels/elementwise/wave_slopes.ts";
import { sinusoidRows } from "../../kernels/layout/sinusoids.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Pairs of a sine and a cosine of levels `[N]`, `[N, 2 F]`; kernels/layout/sinusoids.ts has what is
 * looked up.
 *
 * @param table `[T, 2 F]`: those of levels 0 to T - 1.
 * @param frequencies Radians for each unit of a level, `[F]`.
 * @throws {RangeError} When shapes do not fit.
 */
export function sinusoids(levels: Tensor, table: TensorRef, frequencies: TensorRef): Tensor {
  const { capture } = levels.graph;
  const y = sinusoidRows(capture, table, frequencies, levels.ref);
  return levels.graph.record({
    op: "sinusoids",
    inputs: [levels],
    output: y,
    backward: (dy) => [
      waveSlopes(capture, { y, dy, frequencies }, { order: "pairs", factor: 1 }),
    ],
  });
}
