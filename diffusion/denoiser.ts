/**
 * What the diffusion process knows of a network: a function.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { Conditioning, NetworkInputs } from "../autograd/network_inputs.ts";
import { cast } from "../autograd/ops/cast.ts";
import { dualOutput } from "../autograd/ops/dual_output.ts";
import { firstChannels } from "../autograd/ops/first_channels.ts";
import { dualChannels } from "../kernels/process/dual_output.ts";

/** Records a network's prediction, of the shape of the noisy images. */
export type Denoiser = (graph: Graph, inputs: NetworkInputs) => Tensor;

/** A network, as far as it is asked. */
export interface Forward {
  /** Records its prediction; more channels may follow. */
  forward: Denoiser;
  /** Records both where `forward` leaves the variance out. */
  forwardWithVariance?: Denoiser;
  /** What its activations are stored as; f32 unless given. */
  readonly activations?: "f32" | "f16";
}

/** A network as samplers and instruments ask it. */
export interface Predictor {
  /** What predicts. */
  readonly denoise: Denoiser;
  /** What it wants to know of images beside their noise; nothing unless given. */
  readonly conditioning?: Conditioning | undefined;
  /** Channels, from the first on, that guidance acts on; all unless given. */
  readonly guidedChannels?: number | undefined;
  /** The timesteps of a chain's networks, ascending; none unless given. */
  readonly stages?: readonly number[] | undefined;
}

/**
 * What asks a network for images.
 *
 * @param learned Whether it is asked for its variance as well; not unless given.
 */
export function predictorOf(
  network: Forward & Pick<Predictor, "conditioning" | "guidedChannels" | "stages">,
  learned = false,
): Predictor {
  const { conditioning, guidedChannels, stages } = network;
  const denoise = learned ? denoiserWithVariance(network) : denoiserOf(network);
  return { denoise, conditioning, guidedChannels, stages };
}

/**
 * A network as training, sampling and instruments ask it: of one that has more channels than the
 * images, such as a learned variance, the first are the prediction; of two outputs, where the inputs say
 * so, the image that both make together.
 */
export function denoiserOf(network: Pick<Forward, "forward" | "activations">): Denoiser {
  return (graph, inputs) => {
    const { x, noiseBranch } = inputs;
    if (noiseBranch) return dualOutput(dualOf(network, graph, inputs), x, noiseBranch, null);
    const output = cast(network.forward(graph, storedAs(network, inputs)), "f32");
    const channels = x.shape.at(-1) ?? 0;
    return (output.shape.at(-1) ?? 0) > channels ? firstChannels(output, channels) : output;
  };
}

/** A network of two outputs as its training asks it: noise, image and weights, as they are. */
export function dualDenoiser(network: Pick<Forward, "forward" | "activations">): Denoiser {
  return (graph, inputs) => dualOf(network, graph, inputs);
}

function dualOf(
  network: Pick<Forward, "forward" | "activations">,
  graph: Graph,
  inputs: NetworkInputs,
): Tensor {
  const output = cast(network.forward(graph, storedAs(network, inputs)), "f32");
  const wanted = dualChannels(inputs.x.shape.at(-1) ?? 0), found = output.shape.at(-1) ?? 0;
  if (found === wanted) return output;
  throw new RangeError(
    `Cannot read a network of two outputs: it must give ${wanted} channels, noise, image and two ` +
      `weights, got ${found}; make it with outputs ${wanted}, or choose another diffusion.target`,
  );
}

/** The images as a network stores its activations, and so all that it makes of them. */
function storedAs({ activations = "f32" }: Pick<Forward, "activations">, inputs: NetworkInputs) {
  return { ...inputs, x: cast(inputs.x, activations) };
}

/**
 * A network of a learned variance as training and sampling ask it: the prediction, then the variance,
 * as many channels each as the images have.
 *
 * @throws {RangeError} When it is asked and outputs another number of channels.
 */
export function denoiserWithVariance(network: Forward): Denoiser {
  return (graph, inputs) => {
    const stored = storedAs(network, inputs);
    const made = network.forwardWithVariance?.(graph, stored) ?? network.forward(graph, stored);
    const output = cast(made, "f32");
    const channels = inputs.x.shape.at(-1) ?? 0, found = output.shape.at(-1) ?? 0;
    if (found === 2 * channels) return output;
    throw new RangeError(
      `Cannot learn a variance: the network must output ${
        2 * channels
      } channels, the prediction and ` +
        `the variance, got ${found}; turn its model.learnedVariance on (dit: model.learnSigma), or ` +
        "choose another diffusion.variance",
    );
  };
}
