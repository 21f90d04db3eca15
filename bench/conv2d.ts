/**
 * The convolution of 16 images of 32 x 32 from 64 to 64 channels with a kernel of 3 x 3, as peers measure it.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";
import { sizeOf } from "../device/tensor.ts";
import {
  conv2dForward,
  conv2dInputGrad,
  type Conv2dShape,
  conv2dShape,
  conv2dWeightGrad,
} from "../kernels/conv2d/conv2d.ts";
import { sumParts } from "../kernels/shared/partial_sums.ts";
import { conv2dGradReference, conv2dReference } from "../tests/reference/conv2d.ts";
import { assertAllClose } from "../tests/support/assert.ts";
import { randomValues, upload } from "../tests/support/gpu.ts";
import type { BenchCase } from "./bench_case.ts";
import { programRun } from "./program_run.ts";

const IMAGES = [16, 32, 32, 64] as const;
const WEIGHT = [3, 3, 64, 64] as const;
const FLOPS = 2 * 16 * 32 * 32 * 64 * 64 * 9;
const BUDGET = { rtol: 1e-5, atol: 2e-4 };

function inputs(gpu: Gpu) {
  const x = randomValues(sizeOf(IMAGES), 1), w = randomValues(sizeOf(WEIGHT), 2, 0.1);
  const dy = randomValues(sizeOf(IMAGES), 3);
  const refs = {
    x: upload(gpu, IMAGES, x),
    w: upload(gpu, WEIGHT, w),
    dy: upload(gpu, IMAGES, dy),
  };
  return { x, w, dy, refs, shape: conv2dShape(IMAGES, refs.w, { padding: [1, 1] }) };
}

/** The sizes of one image, and the range of its values in a batch. */
function lastImage(shape: Conv2dShape, values: Float32Array) {
  const size = values.length / shape.n;
  return { one: { ...shape, n: 1 }, of: (all: Float32Array) => all.subarray(all.length - size) };
}

/** Entries of the weight gradient that are compared. */
const CHECKED_WEIGHTS = [[0, 0, 0, 0], [1, 1, 17, 42], [2, 0, 63, 5], [1, 2, 8, 63]] as const;

/** One entry of the weight gradient by its sum over all pixels. */
function weightEntry(
  s: Conv2dShape,
  x: Float32Array,
  dy: Float32Array,
  [ky, kx, ci, co]: readonly [number, number, number, number],
): number {
  let sum = 0;
  for (let n = 0; n < s.n; n++) {
    for (let oy = 0; oy < s.oh; oy++) {
      for (let ox = 0; ox < s.ow; ox++) {
        const iy = oy + ky - s.py, ix = ox + kx - s.px;
        if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
        sum += x[((n * s.h + iy) * s.w + ix) * s.ci + ci]! *
          dy[((n * s.oh + oy) * s.ow + ox) * s.co + co]!;
      }
    }
  }
  return sum;
}

const forward: BenchCase = {
  name: "conv2d_fwd",
  summary: "16 images of 32 x 32, 64 to 64 channels, 3 x 3",
  unit: "GFLOP/s",
  ceiling: "multiply_add",
  open(gpu) {
    const { x, w, refs, shape } = inputs(gpu);
    return programRun(gpu, {
      work: FLOPS,
      inputs: Object.values(refs),
      record: (capture) => ({ y: conv2dForward(capture, refs.x, refs.w, shape) }),
      async validate(read) {
        const { one, of } = lastImage(shape, x);
        const expected = conv2dReference(one, of(x), w);
        assertAllClose(of(await read("y")), expected, { ...BUDGET, name: "y" });
      },
    });
  },
};

const forwardAndBackward: BenchCase = {
  name: "conv2d_fwd_bwd",
  summary: "the same with the gradients of images and weights",
  unit: "GFLOP/s",
  ceiling: "multiply_add",
  open(gpu) {
    const { x, w, dy, refs, shape } = inputs(gpu);
    return programRun(gpu, {
      work: 3 * FLOPS,
      inputs: Object.values(refs),
      record: (capture) => ({
        y: conv2dForward(capture, refs.x, refs.w, shape),
        dx: conv2dInputGrad(capture, refs.w, refs.dy, shape),
        dw: sumParts(capture, conv2dWeightGrad(capture, refs.x, refs.dy, shape).weight),
      }),
      async validate(read) {
        const { one, of } = lastImage(shape, x);
        const y = conv2dReference(one, of(x), w);
        assertAllClose(of(await read("y")), y, { ...BUDGET, name: "y" });
        const { dx } = conv2dGradReference(one, of(x), w, of(dy));
        assertAllClose(of(await read("dx")), dx, { ...BUDGET, name: "dx" });
        const dw = await read("dw");
        const entries = CHECKED_WEIGHTS.map(([ky, kx, ci, co]) =>
          dw[((ky * shape.kw + kx) * shape.ci + ci) * shape.co + co]!
        );
        const expected = CHECKED_WEIGHTS.map((at) => weightEntry(shape, x, dy, at));
        assertAllClose(entries, expected, { rtol: 1e-4, atol: 5e-3, name: "dw" });
      },
    });
  },
};

/** Forward, and forward with both gradients. */
export const CONV2D: readonly BenchCase[] = [forward, forwardAndBackward];
