import { type BandTransform, transformed } from "../../kernels/fft/band_transform.ts";
import { bandedCombination, type BandIndex } from "../../kernels/process/banded.ts";
import type { Tensor } from "../tensor.ts";
import type { CombinedTerm } from "./combine.ts";

/** What frequencies are, and their bands. */
export interface BandedPlane {
  readonly transform: BandTransform;
  readonly bands: BandIndex;
}

/**
 * `y[n] = F^-1 sum_i table_i[t[n], band] F x_i[n]`, F the real and orthonormal transform.
 *
 * @param timesteps u32 `[N]`, each below T.
 * @param terms One to three with tables f32 `[T, B]`, of tensors of one shape `[N, H, W, C]`.
 * @throws {RangeError} When shapes differ or the number of terms is another.
 */
export function bandedCombine(
  timesteps: Tensor["ref"],
  terms: readonly CombinedTerm[],
  { transform, bands }: BandedPlane,
): Tensor {
  const [first] = terms;
  if (!first) throw new RangeError("Cannot combine tensors: there must be at least one, got none");
  const { graph } = first.x, { capture } = graph;
  const combined = (parts: readonly { table: Tensor["ref"]; x: Tensor["ref"] }[]) => {
    const own = parts.map(({ table, x }) => ({
      table,
      x: transformed(capture, x, transform, false),
    }));
    return transformed(
      capture,
      bandedCombination(capture, timesteps, own, bands),
      transform,
      true,
    );
  };
  return graph.record({
    op: "bandedCombine",
    inputs: terms.map(({ x }) => x),
    output: combined(terms.map(({ table, x }) => ({ table, x: x.ref }))),
    // F is orthonormal and a band's factor real: the operator is its own adjoint.
    backward: (dy, needs) =>
      terms.map(({ table }, i) => needs[i] ? combined([{ table, x: dy }]) : null),
  });
}
