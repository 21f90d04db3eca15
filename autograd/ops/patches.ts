import { imagesOfPatches, patchesForward } from "../../kernels/layout/patches.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Images as patches of p x p pixels, `[N, H, W, C]` to `[N, H / p, W / p, p p C]`: rows of a patch one
 * after the other, channels innermost.
 *
 * @throws {RangeError} When `p` does not divide the sides.
 */
export function patchify(x: Tensor, p: number): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "patchify",
    inputs: [x],
    output: patchesForward(capture, x.ref, p),
    recompute: () => patchesForward(capture, x.saved(), p),
    backward: (dy) => [imagesOfPatches(capture, dy, p)],
  });
}

/**
 * The inverse of {@linkcode patchify}, `[N, h, w, p p C]` to `[N, h p, w p, C]`.
 *
 * @throws {RangeError} When the last axis is no multiple of `p p`.
 */
export function unpatchify(x: Tensor, p: number): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "unpatchify",
    inputs: [x],
    output: imagesOfPatches(capture, x.ref, p),
    recompute: () => imagesOfPatches(capture, x.saved(), p),
    backward: (dy) => [patchesForward(capture, dy, p)],
  });
}
