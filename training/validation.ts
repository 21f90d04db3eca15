/**
 * The loss of the averaged weights on held-out images. Timesteps and noise depend on the seed and
 * the image alone, so that losses of different steps compare.
 *
 * @module
 */
import { Graph } from "../autograd/graph.ts";
import { firstImages, type ImageSet } from "../data/dataset.ts";
import { Capture } from "../device/capture.ts";
import { parameterSlots } from "../model/parameters.ts";
import { seedKey } from "../support/philox.ts";
import { orderedBatches } from "./batch_source.ts";
import { joinShares, shareOf } from "./collective.ts";
import type { Observer } from "./observer.ts";
import { pauseForSignals } from "./stop_signals.ts";
import type { Trainer } from "./trainer.ts";

/** The step in the random key; no training step has it. */
const VALIDATION_STEP = 0xffffffff;

/** An observer that measures. */
export interface Validation extends Observer {
  /** Frees its memory. */
  destroy(): void;
}

/** Validation on the first `evalCount` of the held-out images. */
export async function createValidation(
  trainer: Trainer,
  heldOut: ImageSet,
): Promise<Validation> {
  const { gpu, network, state, config, collective } = trainer;
  const { evalEvery, evalCount, batchSize, accumulate } = config.train;
  const count = Math.min(evalCount, heldOut.count);
  const size = Math.min(count, batchSize / (accumulate * collective.size));
  const images = firstImages(heldOut, count);
  const batches = orderedBatches(gpu, images, size, network.conditioning);
  const capture = new Capture(gpu, "validation");
  const graph = new Graph(capture, {
    parameters: parameterSlots(network, state.ema),
    random: capture.input("key", [4], "u32"),
  });
  const { loss } = trainer.objective.record(graph, {
    ...batches.record(capture),
    denoise: trainer.objective.denoiserOf(network, true),
    conditioning: network.conditioning,
    perSample: true,
    plain: true,
  });
  capture.keep(loss.ref);
  const program = await capture.plan();
  const shares = Math.ceil(count / size);
  return {
    everySteps: evalEvery,
    atEnd: true,
    shared: true,
    async read(_, overdue) {
      const share = shareOf(shares, collective);
      const own = new Float32Array((share.end - share.first) * size);
      for (let at = share.first; at < share.end; at++) {
        const first = at * size;
        const key = [...seedKey(config.run.seed), VALIDATION_STEP, first];
        program.run({ ...batches.inputs(at), key });
        own.set(await program.readF32(loss.ref), (at - share.first) * size);
        await pauseForSignals();
        overdue?.throwIfAborted();
      }
      const losses = await joinShares(collective, own, { count: shares, each: size });
      // What fills up the last batch is left out.
      const sum = losses.subarray(0, count).reduce((sum, loss) => sum + loss, 0);
      return { valLoss: sum / count };
    },
    destroy: () => {
      program.destroy();
      batches.destroy();
    },
  };
}
