/**
 * What a training step of a config asks of an adapter, found by writing the step down without
 * memory: nothing is allocated, so it works for networks that would not fit.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../../autograd/graph.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import type { Config } from "../../config/schema.ts";
import { imageShape } from "../../data/options.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { resolve, sizeOf, type TransientStorage } from "../../device/tensor.ts";
import { Objective } from "../../diffusion/objective.ts";
import { countParameters, namedParameters } from "../../model/module.ts";
import type { Network } from "../../model/network.ts";
import { networkOf } from "../../training/run.ts";

/** What a step needs. Bytes where not said otherwise. */
export interface StepNeeds {
  /** Parts that a batch is cut into, `train.accumulate`. */
  readonly accumulate: number;
  /** The largest tensor that a kernel is given at once. */
  readonly binding: number;
  /** Name of that tensor. */
  readonly holder: string;
  /** Weights, gradients, two moments and the average. */
  readonly state: number;
  /** Activations at the fullest moment. */
  readonly activations: number;
  /** Most buffers that one kernel is given. */
  readonly buffers: number;
  /** Most threads in a workgroup. */
  readonly invocations: number;
  /** Most workgroup memory of a kernel. */
  readonly workgroupMemory: number;
  /** Dispatches of a step, without the optimiser's. */
  readonly dispatches: number;
}

/** Copies of the parameters: weights, gradients, two moments, average. */
const STATE_COPIES = 5;

/**
 * The needs of a config's step as it stands.
 *
 * @throws {RangeError} When the step is over one of the adapter's limits; the message names it.
 */
export function stepNeeds(gpu: Gpu, config: Config): StepNeeds {
  const network = networkOf(config);
  const capture = new Capture(gpu, "training step");
  recordStep(capture, config, network);
  let binding = 0, holder = "", buffers = 0, invocations = 0, workgroupMemory = 0;
  for (const { kernel, bindings } of capture.dispatches) {
    for (const { tensor } of bindings) {
      const bytes = 4 * sizeOf(tensor.shape);
      if (bytes > binding) [binding, holder] = [bytes, tensor.label];
    }
    buffers = Math.max(buffers, bindings.length);
    const [x, y, z] = kernel.workgroupSize;
    invocations = Math.max(invocations, x * y * z);
    workgroupMemory = Math.max(workgroupMemory, kernel.workgroupBytes ?? 0);
  }
  return {
    accumulate: config.train.accumulate,
    binding,
    holder,
    state: STATE_COPIES * 4 * countParameters(network),
    activations: peakBytes(capture),
    buffers,
    invocations,
    workgroupMemory,
    dispatches: capture.dispatches.length,
  };
}

/** The step as training/trainer.ts records it, over parameters without memory. */
function recordStep(capture: Capture, config: Config, network: Network): void {
  const { batchSize, accumulate, recompute } = config.train;
  const { height, width, channels } = imageShape(config.data);
  const parameters = new Map<Parameter, ParameterSlot>();
  for (const [name, parameter] of namedParameters(network)) {
    // Inputs, as they outlive the step like parameters do.
    const value = capture.input(name, parameter.shape);
    parameters.set(parameter, { value, grad: capture.input(`${name} gradient`, parameter.shape) });
  }
  const graph = new Graph(capture, {
    ...{ parameters, recompute, training: true, accumulate: accumulate > 1 },
    random: capture.input("key", [4], "u32"),
  });
  const { tMax, timesteps } = config.diffusion;
  // Where it lies depends on the images, and what is needed does not depend on where it lies.
  const known = tMax === "auto" ? Math.ceil(timesteps / 2) : tMax;
  const objective = new Objective(capture.gpu, { ...config.diffusion, tMax: known });
  try {
    const x0 = capture.input("images", [batchSize / accumulate, height, width, channels]);
    const { loss } = objective.record(graph, {
      x0,
      denoise: (graph, x, timesteps) => network.forward(graph, x, timesteps),
    });
    graph.backward(loss, capture.input("loss gradient", loss.shape));
  } finally {
    objective.destroy();
  }
}

/** Bytes of the transients alive at the fullest moment. */
function peakBytes({ dispatches }: Capture): number {
  const lives = new Map<TransientStorage, { first: number; last: number }>();
  dispatches.forEach(({ bindings }, i) => {
    for (const { tensor } of bindings) {
      const { storage } = resolve(tensor);
      if (storage.kind !== "transient") continue;
      const life = lives.get(storage);
      if (life) life.last = i;
      else lives.set(storage, { first: i, last: i });
    }
  });
  const changes = new Float64Array(dispatches.length + 1);
  for (const [{ byteLength }, { first, last }] of lives) {
    changes[first]! += byteLength;
    changes[last + 1]! -= byteLength;
  }
  let alive = 0, peak = 0;
  for (const change of changes) peak = Math.max(peak, alive += change);
  return peak;
}

/** How a config fits an adapter. */
export interface Fit {
  /** As the config stands; null when it is over a limit. */
  readonly asIs: StepNeeds | null;
  /** The limit that it is over. */
  readonly refusal?: string;
  /** With the fewest parts that fit; null when none does. */
  readonly fitting: StepNeeds | null;
}

/**
 * Finds the fewest parts of a batch, by doubling, with which a config's step stays within the
 * adapter's limits and a memory.
 *
 * @param memory Bytes that may be used; unlimited unless given.
 */
export function fitConfig(gpu: Gpu, config: Config, memory = Infinity): Fit {
  let asIs: StepNeeds | null = null, refusal: string | undefined;
  const { batchSize, accumulate } = config.train;
  for (let parts = accumulate; parts <= batchSize; parts *= 2) {
    if (batchSize % parts !== 0) break;
    let needs: StepNeeds | null = null;
    try {
      needs = stepNeeds(gpu, { ...config, train: { ...config.train, accumulate: parts } });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (parts === accumulate) refusal = error.message;
    }
    if (parts === accumulate) asIs = needs;
    if (needs && needs.state + needs.activations <= memory) {
      return { asIs, fitting: needs, ...(refusal === undefined ? {} : { refusal }) };
    }
  }
  return { asIs, fitting: null, ...(refusal === undefined ? {} : { refusal }) };
}
