/**
 * Attention with all gradients, of the size that a U-Net has at 16 x 16 pixels.
 *
 * @module
 */
import { sizeOf } from "../device/tensor.ts";
import { attentionBackward, attentionForward } from "../kernels/attention/attention.ts";
import { attentionReference } from "../tests/reference/attention.ts";
import { assertAllClose } from "../tests/support/assert.ts";
import { randomValues, upload } from "../tests/support/gpu.ts";
import type { BenchCase } from "./bench_case.ts";
import { programRun } from "./program_run.ts";

const SHAPE = [16, 256, 64] as const;

/** One head over 256 pixels of 64 channels. */
export const ATTENTION: readonly BenchCase[] = [{
  name: "attention_fwd_bwd",
  summary: "16 images, 256 tokens of 64 channels, one head, with all gradients",
  unit: "GFLOP/s",
  ceiling: "multiply_add",
  open(gpu) {
    const [batch, length, depth] = SHAPE;
    const names = ["q", "k", "v", "dy"] as const;
    const host = names.map((_, i) => randomValues(sizeOf(SHAPE), i + 1));
    const [q, k, v, dy] = host.map((data) => upload(gpu, SHAPE, data));
    const inputs = { q: q!, k: k!, v: v! };
    const options = { heads: 1, scale: depth ** -0.5 };
    return programRun(gpu, {
      // Two products forward, four backward.
      work: 6 * 2 * batch * length * length * depth,
      inputs: [...Object.values(inputs), dy!],
      record(capture) {
        const { y, saved } = attentionForward(capture, inputs, options);
        const needs = { q: true, k: true, v: true };
        const grads = attentionBackward(capture, inputs, saved, dy!, options, needs);
        return { y, dq: grads.dq!, dk: grads.dk!, dv: grads.dv! };
      },
      async validate(read) {
        const size = length * depth;
        const [q, k, v, dy] = host.map((data) => data.subarray(data.length - size));
        const sizes = { batch: 1, queries: length, keys: length, depth };
        const reference = attentionReference({
          q: q!,
          k: k!,
          v: v!,
          dy: dy!,
          ...sizes,
          ...options,
        });
        for (const [name, expected] of Object.entries(reference)) {
          const actual = (await read(name)).subarray(-size);
          assertAllClose(actual, expected, { rtol: 1e-4, atol: 5e-5, name });
        }
      },
    });
  },
}];
