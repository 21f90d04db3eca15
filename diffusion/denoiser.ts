/**
 * What the diffusion process knows of a network: a function.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { Conditioning, NetworkInputs } from "../autograd/network_inputs.ts";
import { firstChannels } from "../autograd/ops/first_channels.ts";

/** Records a network's prediction, of the shape of the noisy images. */
export type Denoiser = (graph: Graph, inputs: NetworkInputs) => Tensor;

/** A network as samplers and instruments ask it. */
export interface Asked {
  /** What predicts. */
  readonly denoise: Denoiser;
  /** What it wants to know of images beside their noise; nothing unless given. */
  readonly conditioning?: Conditioning | undefined;
  /** Channels, from the first on, that guidance acts on; all unless given. */
  readonly guidedChannels?: number | undefined;
}

/** What asks a network for images. */
export function askedOf(
  network: { forward: Denoiser } & Pick<Asked, "conditioning" | "guidedChannels">,
): Asked {
  const { conditioning, guidedChannels } = network;
  return { denoise: denoiserOf(network), conditioning, guidedChannels };
}

/**
 * A network as training, sampling and instruments ask it: of one that has more channels than the
 * images, such as a learned variance, the first are the prediction.
 */
export function denoiserOf(network: { forward: Denoiser }): Denoiser {
  return (graph, inputs) => {
    const output = network.forward(graph, inputs);
    const channels = inputs.x.shape.at(-1) ?? 0;
    return (output.shape.at(-1) ?? 0) > channels ? firstChannels(output, channels) : output;
  };
}
