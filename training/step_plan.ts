/**
 * What a training step of a config takes, found by writing the step down as the trainer does, on a GPU
 * without memory: no data are read and nothing is allocated, so it works for networks that do not fit.
 *
 * @module
 */
import { imageSet } from "../data/dataset.ts";
import { imageShape } from "../data/options.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { type MemoryReport, planMemory } from "../device/plan_memory.ts";
import { planningGpu } from "../device/planning_gpu.ts";
import { byteLengthOf, resolve } from "../device/tensor.ts";
import { setVariantPolicy, variantPolicy } from "../kernels/shared/variants.ts";
import type { Network } from "../model/network.ts";
import type { Observer } from "./observer.ts";
import type { RunConfig } from "./run_config.ts";
import { standInLatents } from "./network_shape.ts";
import { stepWork, Trainer } from "./trainer.ts";

/** What a step takes. */
export interface StepPlan {
  /** Images computed at once: the batch, or one of its `train.accumulate` parts. */
  readonly images: number;
  /** Parts of a batch. */
  readonly accumulate: number;
  /** Activations of a part. */
  readonly memory: MemoryReport;
  /** Bytes of one copy of the parameters, of which the state has five. */
  readonly parameterBytes: number;
  /** Bytes of weights, gradients, two moments, the average and tables; images come on top. */
  readonly stateBytes: number;
  /** The largest activation that a kernel is given at once. */
  readonly largest: { readonly label: string; readonly bytes: number };
  /** Dispatches of a step: of all parts and of the optimiser. Images in several buffers take more. */
  readonly dispatches: number;
  /** Floating-point operations of a step, forward and backward, what is made again included. */
  readonly flops: number;
  /** Bytes that its dispatches must read and write at least. */
  readonly movedBytes: number;
  /** Most buffers that one kernel is given. */
  readonly buffers: number;
  /** Most threads in a workgroup. */
  readonly invocations: number;
  /** Most workgroup memory of a kernel, in bytes. */
  readonly workgroupBytes: number;
}

/** What is planned. */
export interface StepSubject {
  /** The adapter that the step is planned for. */
  readonly gpu: Gpu;
  readonly config: RunConfig;
  readonly network: Network;
  /** Makes the observers that record something of each step. */
  readonly observers?: (gpu: Gpu) => readonly Observer[];
}

/**
 * Plans a step.
 *
 * @param unlimited Whether buffers and bindings may be larger than the adapter's; false unless given.
 * @throws {RangeError} When the step is over one of the adapter's limits; the message names it.
 */
export function planStep(
  { gpu, config, network, observers }: StepSubject,
  unlimited = false,
): StepPlan {
  const planning = planningGpu(gpu, { unlimited });
  setVariantPolicy(planning, variantPolicy(gpu));
  const { height, width, channels } = imageShape(config.data);
  const pixels = new Uint8Array(height * width * channels);
  const images = imageSet("none", {
    ...{ images: pixels, labels: new Uint8Array(1), count: 1, height, width, channels },
    ...standInLatents(config, 1),
  });
  const step = Trainer.record(planning, config, network, images, observers?.(planning));
  const { gradients, ending, state } = step;
  const { batchSize, accumulate } = config.train;
  const work = stepWork(step, accumulate);
  return {
    images: batchSize / accumulate,
    accumulate,
    memory: planMemory(gradients).memory,
    parameterBytes: state.weights.byteLength,
    stateBytes: planning.counters.bufferBytes,
    dispatches: accumulate * gradients.dispatches.length + ending.dispatches.length,
    flops: 2 * work.multiplyAdds,
    movedBytes: work.bytes,
    ...demands([gradients, ending]),
  };
}

/** The most that any dispatch asks for. */
function demands(captures: readonly Capture[]) {
  let largest = { label: "", bytes: 0 }, buffers = 0, invocations = 0, workgroupBytes = 0;
  for (const { kernel, bindings } of captures.flatMap(({ dispatches }) => dispatches)) {
    for (const { tensor } of bindings) {
      // What outlives a step is cut to the adapter's limits.
      if (resolve(tensor).storage.kind !== "transient") continue;
      const bytes = byteLengthOf(tensor);
      if (bytes > largest.bytes) largest = { label: tensor.label, bytes };
    }
    buffers = Math.max(buffers, bindings.length);
    const [x, y, z] = kernel.workgroupSize;
    invocations = Math.max(invocations, x * y * z);
    workgroupBytes = Math.max(workgroupBytes, kernel.workgroupBytes ?? 0);
  }
  return { largest, buffers, invocations, workgroupBytes };
}
