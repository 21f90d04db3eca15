import {
  rootLogisticBackward,
  rootLogisticForward,
} from "../../kernels/elementwise/root_logistic.ts";
import type { Tensor } from "../tensor.ts";

/** `1 / sqrt(1 + exp(-x))`, any shape. */
export function rootLogistic(x: Tensor): Tensor {
  const { capture } = x.graph;
  const y = rootLogisticForward(capture, x.ref);
  return x.graph.record({
    op: "rootLogistic",
    inputs: [x],
    output: y,
    backward: (dy) => [rootLogisticBackward(capture, x.ref, y, dy)],
  });
}
