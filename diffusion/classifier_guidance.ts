/**
 * Guidance by a classifier (Dhariwal and Nichol 2021, arXiv 2105.05233, section 4.1): the score of a noisy
 * image gets s times the gradient of log p(class | image). The classifier knows clean images, so that it is
 * asked about the one that the network predicts, and the gradient goes back through the network (Bansal et
 * al. 2023, arXiv 2302.07121, equation 6). With x = a x0 + b noise and x0 = p x + q f,
 *
 *     f' = f + s b^2 / (a q) grad_x log p(class | x0),
 *
 * which for a network of the noise, where q = -b / a, is the paper's algorithm 2: f - s b grad_x log p.
 *
 * @module
 */
import type { Graph, ParameterSlot, Tensor } from "../autograd/graph.ts";
import type { NetworkInputs } from "../autograd/network_inputs.ts";
import { add } from "../autograd/ops/add.ts";
import { clip } from "../autograd/ops/clip.ts";
import { concat } from "../autograd/ops/concat.ts";
import { crossEntropy } from "../autograd/ops/cross_entropy.ts";
import { firstChannels } from "../autograd/ops/first_channels.ts";
import { mul } from "../autograd/ops/mul.ts";
import { reshape } from "../autograd/ops/reshape.ts";
import { sum } from "../autograd/ops/reduce.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { InputValues } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import type { Predictor } from "./denoiser.ts";
import type { SamplerStep } from "./moves.ts";
import type { NoiseLevel } from "./schedule.ts";

/** A classifier of clean images. */
export interface ClassScorer {
  /** Its weights. */
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
  /** Classes that it tells apart. */
  readonly classes: number;
  /** Records their scores `[N, classes]` of images in [-1, 1], before the softmax. */
  scores(x: Tensor): Tensor;
}

/** What is guided: it is told the classes of the classifier, whether the network knows them or not. */
export function toldClasses<A extends Predictor>(asked: A, { classes }: ClassScorer): A {
  const { conditioning = {}, denoise } = asked, known = conditioning.labels ?? 0;
  if (known > 0 && known !== classes) {
    throw new RangeError(
      `Cannot guide by a classifier: it must know the network's ${known} classes, it knows ${classes}`,
    );
  }
  return {
    ...asked,
    conditioning: { ...conditioning, labels: classes },
    denoise: (graph, inputs) => {
      if (known > 0) return denoise(graph, inputs);
      const { labels: _, ...others } = inputs;
      return denoise(graph, others);
    },
  };
}

/**
 * Records a prediction and moves it towards the class, with the inputs of {@linkcode scorerValues}.
 *
 * @param x Noisy images as they are; the network gets them times `inputScale`, where that is given.
 * @returns The network's output, its first channels moved.
 */
export function guidedByClassifier(
  { denoise }: Predictor,
  { scores }: ClassScorer,
  graph: Graph,
  x: TensorRef,
  inputs: Omit<NetworkInputs, "x"> & { readonly inputScale?: TensorRef | undefined },
): TensorRef {
  const { inputScale, ...others } = inputs, { capture } = graph;
  const [n = 0] = x.shape, channels = x.shape.at(-1) ?? 0;
  const input = (name: string) => graph.constant(capture.input(name, [1]));
  const noisy = graph.variable(x);
  const scaled = inputScale ? mul(noisy, reshape(graph.constant(inputScale), [n, 1, 1, 1])) : noisy;
  const output = denoise(graph, { ...others, x: scaled });
  const f = (output.shape.at(-1) ?? 0) > channels ? firstChannels(output, channels) : output;
  const clean = clip(add(mul(noisy, input("xToX0")), mul(f, input("fToX0"))), 1);
  const surprise = sum(crossEntropy(scores(clean), graph.constant(others.labels!)));
  const gradient = graph.backward(surprise).get(noisy);
  if (!gradient) throw new TypeError("Cannot guide by a classifier: it must look at the image");
  const pushed = graph.constant(gradient);
  const step = mul(pushed, input("push"));
  return add(output, widened(step, output)).ref;
}

/** A step of the first channels, with zeros for those that follow. */
function widened(step: Tensor, output: Tensor): Tensor {
  const { graph } = output, rest = (output.shape.at(-1) ?? 0) - (step.shape.at(-1) ?? 0);
  if (rest === 0) return step;
  const shape = [...output.shape.slice(0, -1), rest];
  const zeros = graph.capture.constant(shape, new Float32Array(sizeOf(shape)), "no step");
  return concat(step, graph.constant(zeros));
}

/**
 * The inputs of a step.
 *
 * @param level That the step is at.
 * @param scale How much the classifier counts.
 */
export function scorerValues(
  { xToX0, fToX0 }: Pick<SamplerStep, "xToX0" | "fToX0">,
  { signal, noise }: NoiseLevel,
  scale: number,
): InputValues {
  // The gradient is that of the surprise, which is to fall. Without signal there is nothing to see.
  const push = signal > 0 && fToX0 !== 0 ? -scale * noise ** 2 / (signal * fToX0) : 0;
  return {
    xToX0: Float32Array.of(xToX0),
    fToX0: Float32Array.of(fToX0),
    push: Float32Array.of(push),
  };
}
