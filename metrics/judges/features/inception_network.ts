/**
 * Inception v3 on the kernels: batch normalisation is folded into the convolutions, and branches are
 * rectified while they are joined.
 *
 * @module
 */
import type { Capture } from "../../../device/capture.ts";
import { reshape, type TensorRef } from "../../../device/tensor.ts";
import { affineForward } from "../../../kernels/elementwise/affine.ts";
import { conv2dForward, conv2dShape } from "../../../kernels/conv2d/conv2d.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { avgPoolForward, maxPoolForward } from "../../../kernels/layout/pool.ts";
import { sumMiddle } from "../../../kernels/reduce/reduce.ts";
import { reluConcat, reluInPlace } from "../../../kernels/elementwise/relu.ts";
import { resizeBilinearForward } from "../../../kernels/layout/resize_bilinear.ts";
import { softmaxForward } from "../../../kernels/reduce/softmax.ts";
import { type Branch, CLASSES, INPUT_SIDE, type Stage, STAGES } from "./inception_layers.ts";

/** A convolution with its batch normalisation folded in. */
export interface FoldedConv {
  /** `[kh, kw, ci, co]` */
  readonly weight: TensorRef;
  /** `[co]` */
  readonly bias: TensorRef;
}

/** The network's weights on the device. */
export interface InceptionParameters {
  /** The folded convolution of a layer. */
  readonly convolution: (name: string) => FoldedConv;
  /** `[2048, 1008]` */
  readonly classifier: TensorRef;
}

/** Sees a stage's output. */
export type Tap = (name: string, tensor: TensorRef) => void;

/** What the network says of a batch. */
export interface InceptionOutputs {
  /** `[n, 2048]` */
  readonly pool: TensorRef;
  /** `[n, 1008]`, without the last layer's bias. */
  readonly logits: TensorRef;
  /** `[n, 1008]` */
  readonly probabilities: TensorRef;
}

/**
 * Records the whole network.
 *
 * @param images `[n, h, w, 3]` in [0, 1], any size.
 * @param tap Sees the resized images, those in [-1, 1], each stage and the results.
 */
export function captureInception(
  capture: Capture,
  images: TensorRef,
  parameters: InceptionParameters,
  tap: Tap = () => {},
): InceptionOutputs {
  const resized = resizeBilinearForward(capture, images, [INPUT_SIDE, INPUT_SIDE]);
  tap("resized", resized);
  const normalised = affineForward(capture, resized, 2, -1);
  tap("normalised", normalised);
  const last = captureStages(capture, STAGES, normalised, parameters.convolution, tap);
  const [n = 0, h = 0, w = 0, features = 0] = last.shape;
  const pool = sumMiddle(capture, last, [n, h * w, features], 1 / (h * w));
  tap("pool", pool);
  const product = matmul(capture, {
    a: { tensor: pool, row: features },
    b: { tensor: parameters.classifier, row: CLASSES },
    m: n,
    n: CLASSES,
    k: features,
    label: "logits",
  });
  const logits = reshape(product, [n, CLASSES]);
  tap("logits", logits);
  const probabilities = softmaxForward(capture, logits);
  tap("probabilities", probabilities);
  return { pool, logits, probabilities };
}

/**
 * Records stages one after the other.
 *
 * @param x `[n, h, w, c]`
 * @returns The last stage's output.
 */
export function captureStages(
  capture: Capture,
  stages: readonly Stage[],
  x: TensorRef,
  convolution: InceptionParameters["convolution"],
  tap: Tap = () => {},
): TensorRef {
  for (const { name, branches } of stages) {
    const parts = branches.flatMap((branch) => captureBranch(capture, branch, x, convolution));
    const [only] = parts;
    if (only && parts.length === 1) {
      if (branches[0]?.at(-1)?.op === "conv") reluInPlace(capture, only);
      x = only;
    } else {
      x = reluConcat(capture, parts);
    }
    tap(name, x);
  }
  return x;
}

/** Records a branch; its last convolutions are not rectified yet. */
function captureBranch(
  capture: Capture,
  branch: Branch,
  x: TensorRef,
  convolution: InceptionParameters["convolution"],
): TensorRef[] {
  const last = branch.at(-1);
  for (const step of branch) {
    switch (step.op) {
      case "conv": {
        const { weight, bias } = convolution(step.name);
        x = conv2dForward(capture, x, weight, conv2dShape(x.shape, weight, step), { bias });
        if (step !== last) reluInPlace(capture, x);
        break;
      }
      case "averagePool":
        x = avgPoolForward(capture, x, {
          kernel: 3,
          stride: 1,
          padding: 1,
          countIncludePad: false,
        });
        break;
      case "maxPool":
        x = maxPoolForward(capture, x, { kernel: 3, ...step }).result;
        break;
      case "split": {
        const source = x;
        return step.branches.flatMap((inner) => captureBranch(capture, inner, source, convolution));
      }
    }
  }
  return [x];
}
