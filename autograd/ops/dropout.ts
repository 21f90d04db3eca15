import { dropoutForward } from "../../kernels/dropout.ts";
import type { Tensor } from "../graph.ts";

/**
 * Dropout of `x` `[N, ...]`: each call draws from a stream of its own. The identity where the graph
 * does not train, or `p` is 0.
 *
 * @param p Probability of dropping an element, in [0, 1).
 * @throws {RangeError} When `p` is outside [0, 1).
 * @throws {TypeError} When the graph trains and has no random key.
 */
export function dropout(x: Tensor, p: number): Tensor {
  if (!(p >= 0 && p < 1)) {
    throw new RangeError(`Cannot drop out: p must lie in [0, 1), got ${p}`);
  }
  const { graph } = x;
  // Taken even for p = 0, so that a probability does not move the streams of later dropouts.
  const stream = graph.nextStream();
  if (!graph.training || p === 0) return x;
  const { capture, random } = graph;
  const options = { p, stream };
  return graph.record({
    op: "dropout",
    inputs: [x],
    output: dropoutForward(capture, x.ref, random, options),
    recompute: () => dropoutForward(capture, x.saved(), random, options),
    backward: (dy) => [dropoutForward(capture, dy, random, options)],
  });
}
