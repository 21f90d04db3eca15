/**
 * Ranks that live in one process, on one GPU.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { addInOrder, type Collective } from "../../training/collective.ts";

/** Ranks that wait for each other; each must be driven by work of its own. */
export function together(gpu: Gpu, size: number): Collective[] {
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
      gather,
      async allReduce(chunks) {
        for (const chunk of chunks) {
          gpu.write(chunk, addInOrder(await gather(await gpu.readF32(chunk))));
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
