/**
 * Ranks that live in one process, on one GPU.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { addInOrder, type Collective } from "../../training/collective.ts";

/** Ranks that wait for each other; each must be driven by work of its own. */
export function together(gpu: Gpu, size: number, stages = 1): Collective[] {
  let arrived: Float32Array<ArrayBuffer>[] = [];
  let meeting = Promise.withResolvers<Float32Array<ArrayBuffer>[]>();
  return Array.from({ length: size }, (_, rank) => {
    const stop = new AbortController();
    let wish: AbortSignal | undefined;
    const gather = (values: Float32Array<ArrayBuffer>) => {
      const { promise, resolve } = meeting;
      arrived[rank] = values.slice();
      if (Object.keys(arrived).length === size) {
        resolve(arrived);
        arrived = [];
        meeting = Promise.withResolvers();
      }
      return promise;
    };
    return {
      rank,
      size,
      stages,
      gather,
      async allReduce(stages) {
        for (const ready of stages) {
          for (const tensor of ready) {
            gpu.write(tensor, addInOrder(await gather(await gpu.readF32(tensor))));
          }
        }
        const wishes = await gather(Float32Array.of(wish?.aborted ? 1 : 0));
        if (wishes.some(([it]) => it === 1)) stop.abort();
      },
      agree(given) {
        wish = given;
        return stop.signal;
      },
    };
  });
}
