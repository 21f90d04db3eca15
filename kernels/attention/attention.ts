/**
 * Scaled dot-product attention (Vaswani et al. 2017, equation 1), one or many heads:
 *
 *     P = softmax(scale Q K^T),   O = P V                                 for each image and head
 *     dV = P^T dO,   dS = softmax'(P, dO V^T),   dQ = dS K,   dK = dS^T Q
 *
 * Heads lie side by side in the last axis and are reached by strides, so nothing is transposed. Three
 * ways agree within round-off:
 *
 * - `whole`: the probabilities, `[B * heads, L, S]`, are made in memory and kept for the backward pass;
 * - `sliced`: those of some queries at a time, made again in the backward pass (slices.ts);
 * - `streamed`: scores never leave a workgroup (streamed.ts); for graphics cards.
 *
 * Probabilities that are larger than a limit are never made whole; below it a measurement may choose.
 *
 * @module
 */
import { isCpu } from "../../device/cpu_lanes.ts";
import type { Capture } from "../../device/capture.ts";
import { BYTES, typeFlag } from "../../device/element.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  type AttentionGrads,
  type AttentionInputs,
  type AttentionNeeds,
  type AttentionOptions,
  type AttentionSizes,
  attentionSizes,
} from "./args.ts";
import {
  type AttentionSlice,
  backwardSlices,
  forwardSlices,
  sliceAttention,
  wholeSlice,
} from "./slices.ts";
import { backwardStreamed, canStream, forwardStreamed, type StreamedRows } from "./streamed.ts";
import { chooseVariant, type Variant } from "../shared/variants.ts";

export type { AttentionGrads, AttentionInputs, AttentionNeeds, AttentionOptions };

/** Probabilities of more bytes are never made whole. */
const MOST_WHOLE_BYTES = 64 << 20;

/** Bytes of the probabilities of a slice. */
const SLICE_BYTES = 16 << 20;

/** What the backward pass needs besides the operands. */
export type AttentionSaved =
  | { readonly slices: readonly AttentionSlice[]; readonly probabilities?: readonly TensorRef[] }
  | { readonly streamed: StreamedRows };

/** One way of computing attention. */
interface Way {
  readonly name: string;
  readonly family: Variant["family"];
  readonly hopeless?: boolean;
  forward(capture: Capture): { y: TensorRef; saved: AttentionSaved };
}

/**
 * Attention.
 *
 * @param gradients Whether {@linkcode attentionBackward} will be called, which matters to what is
 *   fastest; true unless given.
 * @returns `y [B, L, heads * e]`, and what the backward pass needs.
 * @throws {RangeError} When shapes do not fit or the heads do not divide them.
 */
export function attentionForward(
  capture: Capture,
  inputs: AttentionInputs,
  options: AttentionOptions,
  gradients = true,
): { y: TensorRef; saved: AttentionSaved } {
  const sizes = attentionSizes(inputs, options.heads);
  const ways = waysOf(capture, inputs, options, sizes);
  const { batch, heads, queries, keys, depth, valueDepth } = sizes;
  const key = `attention ${batch}x${heads} ${queries}x${keys}x${depth}${
    valueDepth === depth ? "" : `-${valueDepth}`
  }${gradients ? " gradients" : ""}${typeFlag(inputs.q.dtype)}`;
  const variants = ways.map(({ forward, ...way }): Variant => ({
    ...way,
    record(capture) {
      const { y, saved } = forward(capture);
      if (!gradients) return y;
      const dy = capture.transient(y.shape, "gradient", y.dtype);
      const all = { q: true, k: true, v: true };
      return attentionBackward(capture, inputs, saved, dy, options, all).dq!;
    },
  }));
  const [first] = variants;
  const streamed = variants.find(({ name, hopeless }) => name === "streamed" && !hopeless);
  const preferred = first?.name === "whole" ? first : streamed ?? first;
  const { name } = chooseVariant(capture, key, variants, preferred);
  return ways.find((way) => way.name === name)!.forward(capture);
}

/** The ways that are open, those that fit everywhere first. */
function waysOf(
  capture: Capture,
  inputs: AttentionInputs,
  options: AttentionOptions,
  sizes: AttentionSizes,
): Way[] {
  const { batch, heads, queries, keys } = sizes;
  const { dtype } = inputs.q;
  const bytes = BYTES[dtype] * batch * heads * queries * keys;
  const most = Math.min(MOST_WHOLE_BYTES, capture.gpu.limits.maxStorageBufferBindingSize);
  const ways: Way[] = [];
  if (bytes <= most) {
    ways.push({
      name: "whole",
      family: "plain",
      forward(capture) {
        const slices = [wholeSlice(sizes)];
        const { y, probabilities } = forwardSlices(capture, inputs, options, slices);
        return { y, saved: { slices, probabilities } };
      },
    });
  }
  const slices = sliceAttention(sizes, SLICE_BYTES, dtype);
  if (slices.length > 1 || ways.length === 0) {
    ways.push({
      name: "sliced",
      family: "plain",
      forward: (capture) => ({
        y: forwardSlices(capture, inputs, options, slices).y,
        saved: { slices },
      }),
    });
  }
  if (canStream(sizes)) {
    ways.push({
      name: "streamed",
      family: "tiled",
      // Workgroup memory and barriers cost a CPU driver ten times as much as the products.
      hopeless: isCpu(capture.gpu),
      forward(capture) {
        const streamed = forwardStreamed(capture, inputs, options);
        return { y: streamed.y, saved: { streamed } };
      },
    });
  }
  return ways;
}

/**
 * Gradients of {@linkcode attentionForward} from what it kept and the upstream gradient `dy`.
 *
 * @param needs Which of q, k and v want a gradient.
 */
export function attentionBackward(
  capture: Capture,
  inputs: AttentionInputs,
  saved: AttentionSaved,
  dy: TensorRef,
  options: AttentionOptions,
  needs: AttentionNeeds,
): AttentionGrads {
  if ("streamed" in saved) {
    return backwardStreamed(capture, inputs, saved.streamed, dy, options, needs);
  }
  const { slices, probabilities } = saved;
  return backwardSlices(capture, inputs, dy, options, needs, slices, probabilities);
}
