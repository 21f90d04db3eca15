/**
 * Inception's weights from PyTorch's `state_dict`: checked, brought into our layouts, and each batch
 * normalisation folded into the convolution before it:
 *
 *     w' = w g,   b' = beta - mean g,   g = gamma / sqrt(variance + eps)
 *
 * @module
 */
import { formatShape, sizeOf } from "../../../device/tensor.ts";
import {
  BATCH_NORM_EPS,
  CLASSES,
  CLASSIFIER,
  convolutionsOf,
  INPUT_CHANNELS,
  POOL_FEATURES,
  type SizedConv,
  type Stage,
  STAGES,
} from "./inception_layers.ts";

/** Tensors by name, as PyTorch keeps them. */
export type StateDict = ReadonlyMap<string, StateTensor>;

/** A tensor of a {@linkcode StateDict}. */
export interface StateTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Values of a tensor in our layout. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** The network's weights on the host. */
export interface InceptionWeights {
  /** By layer: weight `[kh, kw, ci, co]` and bias `[co]`. */
  readonly convolutions: ReadonlyMap<string, { weight: HostTensor; bias: HostTensor }>;
  /** `[2048, 1008]` */
  readonly classifier: HostTensor;
}

/**
 * The whole network's weights. Tensors that it does not use, as the last layer's bias, are ignored.
 *
 * @throws {RangeError} When a tensor is missing or has another shape.
 */
export function inceptionWeights(state: StateDict): InceptionWeights {
  return {
    convolutions: foldConvolutions(state, STAGES, INPUT_CHANNELS),
    classifier: transposeClassifier(tensorOf(state, CLASSIFIER, [CLASSES, POOL_FEATURES])),
  };
}

/**
 * The folded convolutions of some stages.
 *
 * @param inputs Channels that the first stage reads.
 * @throws {RangeError} When a tensor is missing or has another shape.
 */
export function foldConvolutions(
  state: StateDict,
  stages: readonly Stage[],
  inputs: number,
): Map<string, { weight: HostTensor; bias: HostTensor }> {
  return new Map(
    convolutionsOf(stages, inputs).map((sized) => [sized.step.name, foldConvolution(state, sized)]),
  );
}

function foldConvolution(state: StateDict, { step, inputs }: SizedConv) {
  const { name, channels, kernel: [kh, kw] } = step;
  const vector = (part: string) => tensorOf(state, `${name}.bn.${part}`, [channels]);
  const gamma = vector("weight"), beta = vector("bias");
  const mean = vector("running_mean"), variance = vector("running_var");
  const theirs = tensorOf(state, `${name}.conv.weight`, [channels, inputs, kh, kw]);
  const weight = new Float32Array(theirs.length), bias = new Float32Array(channels);
  const area = kh * kw;
  for (let o = 0, from = 0; o < channels; o++) {
    const g = gamma[o]! / Math.sqrt(variance[o]! + BATCH_NORM_EPS);
    bias[o] = beta[o]! - mean[o]! * g;
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < area; tap++) {
        weight[(tap * inputs + i) * channels + o] = theirs[from++]! * g;
      }
    }
  }
  return {
    weight: { shape: [kh, kw, inputs, channels], data: weight },
    bias: { shape: [channels], data: bias },
  };
}

function transposeClassifier(theirs: ArrayLike<number>): HostTensor {
  const data = new Float32Array(theirs.length);
  for (let c = 0, from = 0; c < CLASSES; c++) {
    for (let f = 0; f < POOL_FEATURES; f++) data[f * CLASSES + c] = theirs[from++]!;
  }
  return { shape: [POOL_FEATURES, CLASSES], data };
}

function tensorOf(state: StateDict, name: string, shape: readonly number[]): ArrayLike<number> {
  const tensor = state.get(name);
  if (
    !tensor || formatShape(tensor.shape) !== formatShape(shape) ||
    tensor.data.length !== sizeOf(shape)
  ) {
    throw new RangeError(
      `Cannot take Inception's weights: ${name} must have shape ${formatShape(shape)}, got ${
        tensor ? formatShape(tensor.shape) : "no such tensor"
      }`,
    );
  }
  return tensor.data;
}
