/**
 * What the diffusion process knows of a network: a function.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { NetworkInputs } from "../autograd/network_inputs.ts";

/** Records a network's prediction, of the shape of the noisy images. */
export type Denoiser = (graph: Graph, inputs: NetworkInputs) => Tensor;

/** A network as training, sampling and instruments ask it. */
export function denoiserOf(network: { forward: Denoiser }): Denoiser {
  return (graph, inputs) => network.forward(graph, inputs);
}

/**
 * Philox streams of the process; see kernels/shared/philox.ts. Streams from 16 on are the network's.
 */
export const STREAMS = { timesteps: 0, noise: 1, samplerNoise: 2, start: 3 } as const;
