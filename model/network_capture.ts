/**
 * A network written down by itself, without memory: what an op of it takes, and how much work it is.
 *
 * @module
 */
import { Graph, type ParameterSlot, type Tensor } from "../autograd/graph.ts";
import { conditionInputs } from "../autograd/network_inputs.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { layOutArena } from "../device/arena.ts";
import { Capture } from "../device/capture.ts";
import type { Work } from "../device/dispatch.ts";
import type { Gpu } from "../device/gpu.ts";
import { planningGpu } from "../device/planning_gpu.ts";
import { BYTES } from "../device/element.ts";
import { slice, type TensorRef } from "../device/tensor.ts";
import { namedParameters } from "./module.ts";
import type { Network } from "./network.ts";

/** Size of an image. */
export interface NetworkImage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Captures a forward pass, and the backward pass of a training step; of a chain, all of its networks.
 *
 * @param batch Images.
 */
export function captureNetwork(
  gpu: Gpu,
  network: Network,
  batch: number,
  { height, width, channels }: NetworkImage,
  training: boolean,
): Capture {
  const capture = new Capture(gpu, "a network by itself");
  const values = placeParameters(capture, network, "weights");
  const grads = placeParameters(capture, network, "gradients");
  const parameters = new Map<Parameter, ParameterSlot>();
  for (const [parameter, value] of values) {
    parameters.set(parameter, training ? { value, grad: grads.get(parameter)! } : { value });
  }
  const random = capture.input("key", [4], "u32");
  const graph = new Graph(capture, { parameters, training, random });
  const images = graph.constant(
    capture.transient([batch, height, width, channels], "images", network.activations),
  );
  const level = capture.input("timesteps", [batch], "u32");
  const conditions = conditionInputs(capture, batch, network.conditioning);
  const ask = (x: Tensor, stage?: number) =>
    network.forward(graph, { x, level, ...conditions, ...stage !== undefined && { stage } });
  const y = network.stages
    ? network.stages.reduce((x, _, stage) => ask(x, stage), images)
    : ask(images);
  if (training) graph.backward(y, capture.transient(y.shape, "gradient", y.ref.dtype));
  return capture;
}

/** Work of a forward pass over one image, on whichever adapter. */
export function forwardWork(network: Network, image: NetworkImage): Work {
  return captureNetwork(planningGpu(null, { unlimited: true }), network, 1, image, false).work;
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
  const chunks = chunkBytes.map((bytes) => capture.transient([bytes / BYTES.f32], label));
  return new Map(places.map(({ entry: { name, shape }, chunk, byteOffset }) => [
    parameters.get(name)!,
    slice(chunks[chunk]!, byteOffset / BYTES.f32, shape),
  ]));
}
