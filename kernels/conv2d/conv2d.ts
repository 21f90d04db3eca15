/**
 * 2-D convolution (cross-correlation, as every framework's "conv2d"), forward and both gradients, over
 * channels-last images with any kernel, stride and zero padding.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { formatShape, reshape, sizeOf, slice, type TensorRef } from "../../device/tensor.ts";
import { matmul } from "../matmul/matmul.ts";
import { spanOf } from "../matmul/parallel_linear.ts";
import { type Epilogue, gatherConv } from "./gather.ts";
import { type Conv2dShape, isPointwiseConv } from "./shape.ts";

export {
  type Conv2dOptions,
  type Conv2dShape,
  conv2dShape,
  isPointwiseConv,
  withSeam,
} from "./shape.ts";
export { type Epilogue, type GatherChoices } from "./gather.ts";
export { conv2dWeightGrad, conv2dWeightGrads } from "./weight_grad.ts";
export { type WeightGrads } from "./weight_grad_parts.ts";

/**
 * `y = conv(x, weight) + bias + perImage + residual`.
 *
 * @param x `[n, h, w, ci]`, joined of two where the shape says so.
 * @param weight `[kh, kw, ci, co]`
 * @param epilogue bias `[co]`, perImage `[n, C]`, of which the `co` columns from `perImageStart` are
 *   added, residual `[n, oh, ow, co]`, each optional.
 * @param blocked Whether products are summed in blocks, see {@linkcode GatherChoices}; a 1x1 convolution
 *   that adds no more than a bias is a matrix product, which has one sum all the same.
 * @returns `[n, oh, ow, co]`
 * @throws {RangeError} When an added tensor has the wrong shape.
 */
export function conv2dForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  shape: Conv2dShape,
  epilogue: Epilogue = {},
  blocked = false,
): TensorRef {
  const { n, oh, ow, ci, co } = shape;
  const { perImage, perImageStart = 0 } = epilogue;
  const width = perImage?.shape[1] ?? 0;
  if (perImage && !(perImageStart >= 0 && perImageStart + co <= width)) {
    throw new RangeError(
      `Cannot convolve: perImage must have columns ${perImageStart} to ${
        perImageStart + co
      }, got shape ${formatShape(perImage.shape)}`,
    );
  }
  const wanted = { bias: [co], perImage: [n, width], residual: [n, oh, ow, co] } as const;
  for (const [name, expected] of Object.entries(wanted)) {
    const given = epilogue[name as keyof typeof wanted];
    if (given && formatShape(given.shape) !== formatShape(expected)) {
      throw new RangeError(
        `Cannot convolve: ${name} must have shape ${formatShape(expected)}, got ${
          formatShape(given.shape)
        }`,
      );
    }
  }
  const joined = shape.seam !== undefined;
  if (isPointwiseConv(shape) && !epilogue.perImage && !epilogue.residual && !joined) {
    const product = matmul(capture, {
      a: { tensor: x, row: ci },
      b: { tensor: weight, row: co },
      m: n * oh * ow,
      n: co,
      k: ci,
      bias: epilogue.bias,
      label: "conv2d",
    });
    return reshape(product, [n, oh, ow, co]);
  }
  return gatherConv(capture, "forward", x, weight, shape, { epilogue, blocked, label: "conv2d" });
}

/**
 * Gradient with respect to x, of its shape and joined where x is, from dy `[n, oh, ow, co]`.
 *
 * @param plus Added to it: the gradient of x from elsewhere, of its shape and joined as it is.
 * @param blocked As in {@linkcode conv2dForward}.
 */
export function conv2dInputGrad(
  capture: Capture,
  weight: TensorRef,
  dy: TensorRef,
  shape: Conv2dShape,
  plus?: TensorRef,
  blocked = false,
): TensorRef {
  const { n, h, w, ci, co } = shape;
  if (isPointwiseConv(shape) && !plus && shape.seam === undefined) {
    const product = matmul(capture, {
      a: { tensor: dy, row: co },
      b: { tensor: weight, row: co, transposed: true },
      m: sizeOf([n, h, w]),
      n: ci,
      k: co,
      label: "conv2d input gradient",
    });
    return reshape(product, [n, h, w, ci]);
  }
  return gatherConv(capture, "input", dy, weight, shape, {
    epilogue: { residual: plus },
    blocked,
    label: "conv2d input gradient",
  });
}

/**
 * The sum of the gradients of several convolutions of 1x1 with respect to the x that all read, `[n, h, w, ci]`.
 *
 * @param weights `[1, 1, ci, co]` each.
 * @param dy `[layers, n, h, w, co]`
 * @param shape Of one of them.
 * @param plus As in {@linkcode conv2dInputGrad}.
 */
export function conv2dInputGradOfLayers(
  capture: Capture,
  weights: readonly TensorRef[],
  dy: TensorRef,
  shape: Conv2dShape,
  plus?: TensorRef,
): TensorRef {
  const { n, h, w, co } = shape, each = [n, h, w, co];
  const layerStep = stepOf(weights);
  if (layerStep === undefined) {
    const addOf = (sum: TensorRef | undefined, weight: TensorRef, i: number) =>
      conv2dInputGrad(capture, weight, slice(dy, i * sizeOf(each), each), shape, sum);
    return weights.reduce(addOf, plus)!;
  }
  const layers = { ...shape, kw: weights.length };
  return gatherConv(capture, "input", dy, spanOf(weights).tensor, layers, {
    epilogue: { residual: plus },
    layerStep,
    label: "conv2d input gradient",
  });
}

/** Floats from one tensor of a storage to the next, where all are as far apart and vectors may begin there. */
function stepOf(tensors: readonly TensorRef[]): number | undefined {
  const [first, second] = tensors;
  const alike = ({ dtype, storage }: TensorRef) =>
    dtype === first?.dtype && storage === first.storage;
  if (!second || !tensors.every(alike)) return undefined;
  const { offsetOf } = spanOf(tensors);
  const step = offsetOf(second);
  const even = tensors.every((tensor, i) => offsetOf(tensor) === i * step);
  return even && step > 0 && step % 4 === 0 ? step : undefined;
}
