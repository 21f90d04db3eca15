import {
  type LogSnrLine,
  monotoneLogSnrBackward,
  monotoneLogSnrForward,
} from "../../kernels/process/monotone_log_snr.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Learned log SNRs of times from 0 to 1; kernels/process/monotone_log_snr.ts has the equations.
 *
 * @param parameters Side by side, `3 H + 3` of them: w, v, all a, all b, all c, d.
 * @param times `[N]`
 * @param options.gradientShare Share of the gradient that the parameters get.
 * @returns `[N]`
 * @throws {RangeError} When shapes do not fit.
 */
export function monotoneLogSnr(
  parameters: Tensor,
  times: TensorRef,
  { gradientShare, ...line }: LogSnrLine & { readonly gradientShare: number },
): Tensor {
  const { capture } = parameters.graph, p = parameters.ref;
  const { result, growth } = monotoneLogSnrForward(capture, p, times, line);
  return parameters.graph.record({
    op: "monotoneLogSnr",
    inputs: [parameters],
    output: result,
    backward: (dy) => [
      monotoneLogSnrBackward(capture, { p, times, growth, dy }, gradientShare * line.slope),
    ],
  });
}
