/**
 * The products and convolutions of a run's steps, for the tuner: the network is captured as a training
 * step and as a sampling step use it, without memory.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../autograd/graph.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { layOutArena } from "../device/arena.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { ELEMENT_BYTES, slice, type TensorRef } from "../device/tensor.ts";
import { denoiserOf } from "../diffusion/denoiser.ts";
import { SAMPLE_BATCH } from "../diffusion/sampling.ts";
import { collectOps } from "../kernels/shared/measure_variants.ts";
import type { Variant } from "../kernels/shared/variants.ts";
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
  const values = placeParameters(capture, network, "weights");
  const grads = placeParameters(capture, network, "gradients");
  const parameters = new Map<Parameter, ParameterSlot>();
  for (const [parameter, value] of values) {
    parameters.set(parameter, training ? { value, grad: grads.get(parameter)! } : { value });
  }
  const random = capture.input("key", [4], "u32");
  const graph = new Graph(capture, { parameters, training, random });
  const x = graph.constant(capture.transient([batch, height, width, channels], "images"));
  const y = denoiserOf(network)(graph, { x, level: capture.input("timesteps", [batch], "u32") });
  if (training) graph.backward(y, capture.transient(y.shape, "gradient"));
}

/** Parameters as they lie in an arena: what lies in one chunk may be computed together. */
function placeParameters(
  capture: Capture,
  network: Network,
  label: string,
): Map<Parameter, TensorRef> {
  const parameters = new Map(namedParameters(network));
  const entries = Array.from(parameters, ([name, { shape }]) => ({ name, shape }));
  const { places, chunkBytes } = layOutArena(capture.gpu, label, entries);
  const chunks = chunkBytes.map((bytes) => capture.transient([bytes / ELEMENT_BYTES], label));
  return new Map(places.map(({ entry: { name, shape }, chunk, byteOffset }) => [
    parameters.get(name)!,
    slice(chunks[chunk]!, byteOffset / ELEMENT_BYTES, shape),
  ]));
}
