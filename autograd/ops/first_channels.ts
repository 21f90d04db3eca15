import { concatForward, splitLast } from "../../kernels/layout/concat.ts";
import { fillZero } from "../../kernels/layout/fill.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The first `count` channels: `[..., C]` to `[..., count]`. The rest has a gradient of zero.
 *
 * @throws {RangeError} When there are not more than these.
 */
export function firstChannels(x: Tensor, count: number): Tensor {
  const { capture } = x.graph;
  const rest = (x.shape.at(-1) ?? 0) - count;
  return x.graph.record({
    op: "firstChannels",
    inputs: [x],
    output: splitLast(capture, x.ref, count, { a: {}, b: null }).a!,
    recompute: () => splitLast(capture, x.saved(), count, { a: {}, b: null }).a!,
    backward: (dy) => {
      const zeros = capture.transient([...x.shape.slice(0, -1), rest], "zeros");
      fillZero(capture, zeros);
      return [concatForward(capture, dy, zeros)];
    },
  });
}
