/**
 * What networks make of the noise levels that they are told. Levels have no gradient.
 *
 * @module
 */
import type { TensorRef } from "../../device/tensor.ts";
import { logForward } from "../../kernels/elementwise/log.ts";
import { reciprocalForward } from "../../kernels/elementwise/reciprocal.ts";
import type { Graph, Tensor } from "../graph.ts";
import { reshape } from "./reshape.ts";

/** Natural logarithms of levels above 0, f32 `[N]`. */
export function logOfLevels(graph: Graph, levels: TensorRef): Tensor {
  return graph.constant(logForward(graph.capture, levels));
}

/** `1 / level` of each image, f32 `[N]` to `[N, 1, 1, 1]`. */
export function inverseLevels(graph: Graph, levels: TensorRef): Tensor {
  const [n = 0] = levels.shape;
  return reshape(graph.constant(reciprocalForward(graph.capture, levels)), [n, 1, 1, 1]);
}
