import type { TensorRef } from "../../device/tensor.ts";
import { linearCombination } from "../../kernels/process/q_sample.ts";
import type { Tensor } from "../tensor.ts";

/** One term of {@linkcode combine}. */
export interface CombinedTerm {
  /** Coefficient of each timestep, f32 `[T]`. */
  readonly table: TensorRef;
  /** `[N, ...]` */
  readonly x: Tensor;
}

/**
 * `y[n] = sum_i table_i[t[n]] x_i[n]`.
 *
 * @param timesteps u32 `[N]`, each below T.
 * @param terms One to three, of one shape.
 * @throws {RangeError} When shapes differ or the number of terms is another.
 */
export function combine(timesteps: TensorRef, terms: readonly CombinedTerm[]): Tensor {
  const [first] = terms;
  if (!first) throw new RangeError("Cannot combine tensors: there must be at least one, got none");
  const { graph } = first.x;
  const { capture } = graph;
  return graph.record({
    op: "combine",
    inputs: terms.map(({ x }) => x),
    output: linearCombination(
      capture,
      timesteps,
      terms.map(({ table, x }) => ({ table, x: x.ref })),
    ),
    backward: (dy, needs) =>
      terms.map(({ table }, i) =>
        needs[i] ? linearCombination(capture, timesteps, [{ table, x: dy }]) : null
      ),
  });
}
