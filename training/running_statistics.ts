/**
 * Running statistics of batches, as batch normalisation keeps them: parameters that a step changes
 * without learning them. Each process sees its share of a batch alone, so after a step they become the
 * mean over all processes, as if their layers had been given the mean of what the shares have.
 *
 * @module
 */
import type { Dispatch } from "../device/dispatch.ts";
import type { Gpu } from "../device/gpu.ts";
import { resolve, type TensorRef } from "../device/tensor.ts";
import { type Collective, meanOf } from "./collective.ts";
import { joinNeighbours } from "./gradient_stages.ts";

/**
 * The weights that the gradients' part of a step writes, flat and with their neighbours.
 *
 * @param dispatches Of that part.
 * @param weights All weights, in the order in which they lie.
 */
export function runningStatistics(
  dispatches: readonly Dispatch[],
  weights: Iterable<TensorRef>,
): TensorRef[] {
  const placeOf = (tensor: TensorRef) => {
    const { storage, byteOffset } = resolve(tensor);
    return { storage, byteOffset };
  };
  const written = dispatches.flatMap(({ bindings }) =>
    bindings.filter(({ access }) => access !== "read").map(({ tensor }) => placeOf(tensor))
  );
  return joinNeighbours([...weights].filter((weight) => {
    const { storage, byteOffset } = placeOf(weight);
    return written.some((it) => it.storage === storage && it.byteOffset === byteOffset);
  }));
}

/** Puts the mean over all ranks in the place of each. */
export async function averageStatistics(
  gpu: Gpu,
  collective: Collective,
  statistics: readonly TensorRef[],
): Promise<void> {
  for (const tensor of statistics) {
    gpu.write(tensor, meanOf(await collective.gather(await gpu.readF32(tensor))));
  }
}
