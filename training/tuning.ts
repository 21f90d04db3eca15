/**
 * The products and convolutions of a run's steps, for the tuner: the network is captured as a training
 * step and as a sampling step use it, without memory.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../autograd/graph.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { SAMPLE_BATCH } from "../diffusion/sampling.ts";
import { collectOps } from "../kernels/tune.ts";
import type { Variant } from "../kernels/variants.ts";
import { namedParameters } from "../model/module.ts";
import type { Network } from "../model/network.ts";
import type { ImageSize } from "./pictures.ts";

/**
 * The ops of a network's steps with their variants, most costly direction first: training, then sampling.
 *
 * @param batch Images of a training step, or of its micro-batches.
 */
export function stepOps(
  gpu: Gpu,
  network: Network,
  batch: number,
  size: ImageSize,
): Map<string, readonly Variant[]> {
  return collectOps(gpu, () => {
    recordStep(gpu, network, batch, size, true);
    recordStep(gpu, network, SAMPLE_BATCH, size, false);
  });
}

function recordStep(
  gpu: Gpu,
  network: Network,
  batch: number,
  { height, width, channels }: ImageSize,
  training: boolean,
): void {
  const capture = new Capture(gpu, "tuning");
  const parameters = new Map<Parameter, ParameterSlot>();
  for (const [name, parameter] of namedParameters(network)) {
    const value = capture.transient(parameter.shape, name);
    const grad = capture.transient(parameter.shape, name);
    parameters.set(parameter, training ? { value, grad } : { value });
  }
  const random = capture.input("key", [4], "u32");
  const graph = new Graph(capture, { parameters, training, random });
  const x = graph.constant(capture.transient([batch, height, width, channels], "images"));
  const y = network.forward(graph, x, capture.input("timesteps", [batch], "u32"));
  if (training) graph.backward(y, capture.transient(y.shape, "gradient"));
}
