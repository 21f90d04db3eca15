/**
 * Gradients that are final before the backward pass ends: the last layers' come first, and other
 * processes can have them while the rest is computed.
 *
 * @module
 */
import type { Dispatch } from "../device/dispatch.ts";
import { BYTES } from "../device/element.ts";
import { TENSOR_ALIGNMENT } from "../device/gpu.ts";
import { byteLengthOf, resolve, sizeOf, type TensorRef } from "../device/tensor.ts";

/** A stretch of a step's dispatches, and what is final after it. */
export interface GradientStage {
  /** Number of the dispatch behind its last one. */
  readonly end: number;
  /** Flat stretches of gradients that no later dispatch touches. */
  readonly ready: readonly TensorRef[];
}

/**
 * Cuts a step where an equal share of its gradients is final each time.
 *
 * @param dispatches Of the step.
 * @param gradients All of them, in the order in which they lie.
 * @param count Stages at most; there are fewer where gradients are final together.
 * @returns At least one; the last ends with the step, and together they hand out each gradient once.
 */
export function gradientStages(
  dispatches: readonly Dispatch[],
  gradients: Iterable<TensorRef>,
  count: number,
): GradientStage[] {
  const list = [...gradients].map((tensor) => ({ tensor, end: lastTouch(dispatches, tensor) + 1 }));
  const share = list.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0) / count;
  const ends: number[] = [];
  let values = 0, next = share;
  for (const [end, final] of [...Map.groupBy(list, ({ end }) => end)].sort(([a], [b]) => a - b)) {
    for (const { tensor } of final) values += sizeOf(tensor.shape);
    if (values < next || ends.length + 1 >= count) continue;
    ends.push(end);
    next = (Math.floor(values / share) + 1) * share;
  }
  if (ends.at(-1) !== dispatches.length) ends.push(dispatches.length);
  return ends.map((end, i) => ({
    end,
    ready: joinNeighbours(
      list.filter((it) => it.end <= end && it.end > (ends[i - 1] ?? -1)).map(({ tensor }) =>
        tensor
      ),
    ),
  }));
}

/** Neighbours as one flat tensor, with what lies between them for alignment, which stays zero. */
export function joinNeighbours(list: readonly TensorRef[]): TensorRef[] {
  const joined: TensorRef[] = [];
  for (const tensor of list) {
    const { storage, byteOffset, dtype } = tensor, before = joined.at(-1);
    const gap = before?.storage === storage
      ? byteOffset - before.byteOffset - byteLengthOf(before)
      : Infinity;
    const first = before && gap < TENSOR_ALIGNMENT ? joined.pop()!.byteOffset : byteOffset;
    const values = (byteOffset + byteLengthOf(tensor) - first) / BYTES[dtype];
    joined.push({ storage, byteOffset: first, dtype, shape: [values], label: tensor.label });
  }
  return joined;
}

/** Number of the last dispatch that touches any of a tensor's bytes, -1 where none does. */
function lastTouch(dispatches: readonly Dispatch[], tensor: TensorRef): number {
  const { storage, byteOffset: first } = resolve(tensor), end = first + byteLengthOf(tensor);
  const overlaps = (other: TensorRef) => {
    const { storage: its, byteOffset } = resolve(other);
    return its === storage && byteOffset < end && first < byteOffset + byteLengthOf(other);
  };
  return dispatches.findLastIndex(({ bindings, touches }) =>
    bindings.some(({ tensor }) => overlaps(tensor)) && (!touches || touches.some(overlaps))
  );
}
