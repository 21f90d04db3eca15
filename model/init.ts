/**
 * How parameters start out.
 *
 * @module
 */
import type { Initializer } from "../autograd/parameter.ts";
import { philoxInto, seedKey } from "../support/philox.ts";
import { STREAMS } from "../support/random_streams.ts";

/** All 0. */
export const zeros: Initializer = (values) => void values.fill(0);

/** All 1. */
export const ones: Initializer = (values) => void values.fill(1);

/** Gaussian of mean 0. */
export function gaussian(deviation: number): Initializer {
  return (values, { normal }) => {
    for (let i = 0; i < values.length; i++) values[i] = deviation * normal();
  };
}

/**
 * Inputs and outputs that one weight matrix connects: for `[in, out]` these two, for a convolution
 * `[kh, kw, ci, co]` channels times the kernel's area.
 *
 * @throws {RangeError} When the shape has fewer than two axes.
 */
export function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const fanIn = shape.at(-2), fanOut = shape.at(-1);
  if (fanIn === undefined || fanOut === undefined) {
    throw new RangeError(
      `Cannot count fans: a weight must have at least two axes, got ${shape.length}`,
    );
  }
  const area = shape.slice(0, -2).reduce((product, n) => product * n, 1);
  return { fanIn: fanIn * area, fanOut: fanOut * area };
}

/**
 * Uniform in `[-a, a)` with `a = gain sqrt(6 / (fanIn + fanOut))`, so that activations and gradients
 * keep their variance through a linear layer (Glorot and Bengio 2010, equation 16).
 *
 * @param shape Shape of the weight, see {@linkcode fans}.
 * @param gain Factor on the whole; 1 unless given.
 */
export function xavierUniform(shape: readonly number[], gain = 1): Initializer {
  const { fanIn, fanOut } = fans(shape);
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return (values, { uniform }) => {
    for (let i = 0; i < values.length; i++) values[i] = bound * (2 * uniform() - 1);
  };
}

/**
 * Uniform in `[-a, a)` with `a = 1 / sqrt(fanIn)`: what PyTorch gives weights and biases unless told
 * otherwise.
 *
 * @param fanIn Inputs of the layer, see {@linkcode fans}.
 */
export function fanInUniform(fanIn: number): Initializer {
  const bound = 1 / Math.sqrt(fanIn);
  return (values, { uniform }) => {
    for (let i = 0; i < values.length; i++) values[i] = bound * (2 * uniform() - 1);
  };
}

/** How a layer's weight and bias start out, by the shape of the weight. */
export type LayerInit = (
  shape: readonly number[],
) => { readonly weight: Initializer; readonly bias: Initializer };

/** PyTorch's default of linear layers and convolutions. */
export const pytorchInit: LayerInit = (shape) => {
  const init = fanInUniform(fans(shape).fanIn);
  return { weight: init, bias: init };
};

/** {@linkcode xavierUniform} weights, and biases of 0. */
export function xavierInit(gain = 1): LayerInit {
  return (shape) => ({ weight: xavierUniform(shape, gain), bias: zeros });
}

/** {@linkcode gaussian} weights, and biases of 0. */
export function gaussianInit(deviation: number): LayerInit {
  return () => ({ weight: gaussian(deviation), bias: zeros });
}

/** Weights and biases of 0. */
export const zeroInit: LayerInit = () => ({ weight: zeros, bias: zeros });

/** Standard normal. */
export const normals: Initializer = (values, { normal }) => {
  for (let i = 0; i < values.length; i++) values[i] = normal();
};

/**
 * Normal with a variance of `1 / fanIn`, cut off at two standard deviations and widened to make up for
 * it: LeCun's, as JAX draws it (LeCun et al. 1998, "Efficient BackProp", section 4.6).
 *
 * @param fanIn Inputs of the layer, see {@linkcode fans}.
 */
export function lecunNormal(fanIn: number): Initializer {
  // The standard deviation of a normal distribution cut off at two of its own.
  const scale = 1 / Math.sqrt(fanIn) / 0.87962566103423978;
  return (values, { normal }) => {
    for (let i = 0; i < values.length; i++) {
      let drawn = normal();
      while (Math.abs(drawn) > 2) drawn = normal();
      values[i] = scale * drawn;
    }
  };
}

/**
 * The random numbers that a parameter starts from. They depend on seed and place alone: Philox with
 * the seed's key and counter (draw / 4, 0, stream 8, index).
 *
 * @param seed The run's seed, 0 to 2^53 - 1.
 * @param index The parameter's place among the network's.
 * @throws {RangeError} For any other seed.
 */
export function initialRandom(seed: number, index: number): Parameters<Initializer>[1] {
  const [low, high] = seedKey(seed);
  const words = new Uint32Array(4);
  let drawn = 0;
  const uniform = () => {
    if (drawn % 4 === 0) {
      philoxInto(words, 0, drawn / 4, 0, STREAMS.initialWeights, index, low, high);
    }
    return (words[drawn++ % 4]! >>> 8) / 2 ** 24;
  };
  // Box and Muller 1958, one of the pair; 1 - u is never 0.
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}
