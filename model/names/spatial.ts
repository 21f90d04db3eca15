/**
 * Convolutions along one, two or three axes (model/spatial.ts) under PyTorch's names and layouts.
 *
 * @module
 */
import type { Dims } from "../spatial.ts";
import { type PytorchParameter, pytorchParameter, rearrangedParameter } from "./pytorch.ts";

/**
 * The weight of a {@linkcode SpatialConv} as PyTorch has it: `[co, ci, k]`, `[co, ci, k, k]` or
 * `[co, ci, k, k, k]`, whose depth comes first.
 *
 * @param shape Ours.
 */
export function kernelParameter(
  dims: Dims,
  name: string,
  pytorchName: string,
  shape: readonly number[],
): PytorchParameter {
  if (dims === 2) return pytorchParameter(name, pytorchName, shape, "convolution");
  const [, k = 1, inputs = 1, outputs = 1] = shape;
  const sizes = dims === 1 ? [outputs, inputs, k] : [outputs, inputs / k, k, k, k];
  const order = dims === 1 ? [2, 1, 0] : [3, 4, 2, 1, 0];
  return rearrangedParameter(name, shape, { name: pytorchName, shape: sizes }, { sizes, order });
}
