/**
 * What the diffusion process knows of a network: a function.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { TensorRef } from "../device/tensor.ts";

/**
 * Records a network's prediction from noisy images.
 *
 * @param x Noisy images `[n, h, w, c]`.
 * @param timesteps Their timesteps `[n]`, u32.
 * @returns The prediction, of the shape of `x`.
 */
export type Denoiser = (graph: Graph, x: Tensor, timesteps: TensorRef) => Tensor;

/**
 * Philox streams of the process; see kernels/shared/philox.ts. Streams from 16 on are the network's.
 */
export const STREAMS = { timesteps: 0, noise: 1, samplerNoise: 2, start: 3 } as const;
