/**
 * What the ranks of a run keep apart while they train: sums of losses and of observers over their own
 * images. Before anybody looks, rank 0 gets all of it and the others begin anew.
 *
 * @module
 */
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { addInOrder, checkAlike, checksum } from "./collective.ts";
import type { Observer } from "./observer.ts";
import type { Trainer } from "./trainer.ts";

/** Brings what observers have gathered to rank 0. */
export async function gatherObserved(
  trainer: Trainer,
  observers: readonly Observer[],
): Promise<void> {
  if (trainer.collective.size === 1) return;
  for (const observer of observers) {
    for (const tensor of observer.state?.values() ?? []) {
      await gatherTensor(trainer, tensor, (parts) => observer.merge?.(parts) ?? addInOrder(parts));
    }
  }
}

/** Brings all that a checkpoint holds to rank 0, and makes sure that the ranks have the same weights. */
export async function gatherState(
  trainer: Trainer,
  observers: readonly Observer[],
  step: number,
): Promise<void> {
  if (trainer.collective.size === 1) return;
  await gatherObserved(trainer, observers);
  await gatherTensor(trainer, trainer.state.losses, addInOrder);
  await checkWeights(trainer, step);
}

/** Leaves what a checkpoint brought of losses and observers to rank 0. */
export function keepStateOnce(
  { collective, gpu, state }: Trainer,
  observers: readonly Observer[],
): void {
  if (collective.rank === 0) return;
  for (
    const tensor of [state.losses, ...observers.flatMap((it) => [...it.state?.values() ?? []])]
  ) {
    gpu.write(tensor, new Float32Array(sizeOf(tensor.shape)));
  }
}

/** @throws {Error} On all ranks, when their weights differ by a bit. */
export async function checkWeights(trainer: Trainer, step: number): Promise<void> {
  const { collective, gpu, state: { weights } } = trainer;
  if (collective.size === 1) return;
  const sums: number[] = [];
  for (const chunk of weights.chunks) sums.push(...checksum(await gpu.readF32(chunk)));
  await checkAlike(collective, "the step and the checksum of its weights", step, ...sums);
}

async function gatherTensor(
  { collective, gpu }: Trainer,
  tensor: TensorRef,
  merge: (parts: readonly Float32Array<ArrayBuffer>[]) => Float32Array<ArrayBuffer>,
): Promise<void> {
  const parts = await collective.gather(await gpu.readF32(tensor));
  const all = collective.rank === 0 ? merge(parts) : new Float32Array(sizeOf(tensor.shape));
  gpu.write(tensor, all);
}
