/**
 * Kernels that memory limits: SiLU, sums, concatenation, group normalisation, Adam with its average,
 * Fourier transforms.
 * Bytes are those that must be read and written once.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { ADAM_SCALARS, adamScalars, adamStep } from "../kernels/optim/adam.ts";
import { fourierTransform } from "../kernels/fft/fft2.ts";
import { groupNormBackward, groupNormForward } from "../kernels/norm/group_norm.ts";
import { sumParts } from "../kernels/shared/partial_sums.ts";
import { addSame } from "../kernels/elementwise/add.ts";
import { concatForward } from "../kernels/layout/concat.ts";
import { siluForward } from "../kernels/elementwise/silu.ts";
import { adamReference } from "../tests/reference/adam.ts";
import { dft2 } from "../tests/reference/fft.ts";
import { normaliseReference } from "../tests/reference/normalise.ts";
import { assertAllClose } from "../tests/support/assert.ts";
import { randomValues, upload } from "../tests/support/gpu.ts";
import type { BenchCase } from "./bench_case.ts";
import { programRun } from "./program_run.ts";

const MILLIONS = 4 << 20;

const silu: BenchCase = {
  name: "silu4M",
  summary: "SiLU of 4 Mi floats",
  unit: "GB/s",
  ceiling: "copy_vec4",
  open(gpu) {
    const data = randomValues(MILLIONS, 1);
    const x = upload(gpu, [MILLIONS], data);
    return programRun(gpu, {
      work: 8 * MILLIONS,
      inputs: [x],
      record: (capture) => ({ y: siluForward(capture, x) }),
      async validate(read) {
        const expected = Float64Array.from(data, (v) => v / (1 + Math.exp(-v)));
        assertAllClose(await read("y"), expected, { rtol: 1e-5, atol: 1e-6, name: "y" });
      },
    });
  },
};

const IMAGES = [16, 32, 32, 64] as const;
/** An op of two operands of {@linkcode IMAGES}. */
function ofTwo(
  name: string,
  summary: string,
  /** Floats that are written, a multiple of an operand's. */
  written: number,
  record: (capture: Capture, a: TensorRef, b: TensorRef) => TensorRef,
  expected: (a: Float32Array, b: Float32Array, i: number) => number,
): BenchCase {
  return {
    name,
    summary,
    unit: "GB/s",
    ceiling: "copy_vec4",
    open(gpu) {
      const count = sizeOf(IMAGES);
      const a = randomValues(count, 1), b = randomValues(count, 2);
      const refs = [a, b].map((data) => upload(gpu, IMAGES, data));
      return programRun(gpu, {
        work: 4 * count * (2 + written),
        inputs: refs,
        record: (capture) => ({ y: record(capture, refs[0]!, refs[1]!) }),
        async validate(read) {
          const y = await read("y");
          assertAllClose(y, Float64Array.from(y, (_, i) => expected(a, b, i)), {
            ...{ rtol: 1e-6, atol: 1e-6, name: "y" },
          });
        },
      });
    },
  };
}

const residual = ofTwo(
  "residual_add",
  "the sum of two times 16 images of 32 x 32 x 64",
  1,
  addSame,
  (a, b, i) => a[i]! + b[i]!,
);

const concatenation = ofTwo(
  "concat",
  "16 images of 32 x 32, 64 channels beside 64",
  2,
  concatForward,
  (a, b, i) => {
    const channels = IMAGES[3], at = i % (2 * channels), pixel = Math.floor(i / (2 * channels));
    return at < channels ? a[pixel * channels + at]! : b[pixel * channels + at - channels]!;
  },
);

const GROUPS = { groups: 32, eps: 1e-5, silu: true };

function groupNorm(backward: boolean): BenchCase {
  return {
    name: backward ? "group_norm_fwd_bwd" : "group_norm_fwd",
    summary: `group normalisation and SiLU of 16 images of 32 x 32 x 64${
      backward ? ", with all gradients" : ""
    }`,
    unit: "GB/s",
    ceiling: "copy_vec4",
    open(gpu) {
      const count = sizeOf(IMAGES), channels = IMAGES[3];
      const x = randomValues(count, 1), dy = randomValues(count, 2);
      const weight = randomValues(channels, 3), bias = randomValues(channels, 4);
      const refs = {
        x: upload(gpu, IMAGES, x),
        dy: upload(gpu, IMAGES, dy),
        weight: upload(gpu, [channels], weight),
        bias: upload(gpu, [channels], bias),
      };
      return programRun(gpu, {
        work: (backward ? 20 : 8) * count,
        inputs: Object.values(refs),
        record(capture) {
          const { y, ...saved } = groupNormForward(
            capture,
            refs.x,
            refs.weight,
            refs.bias,
            GROUPS,
          );
          if (!backward) return { y };
          const grads = groupNormBackward(capture, { ...refs, ...saved }, refs.dy, GROUPS);
          const { dx, dweight, dbias } = grads;
          return {
            y,
            dx: dx!,
            dweight: sumParts(capture, dweight),
            dbias: sumParts(capture, dbias),
          };
        },
        async validate(read) {
          const pixels = IMAGES[1] * IMAGES[2];
          const sizes = { images: IMAGES[0], pixels, channels };
          const expected = normaliseReference({ x, dy, weight, bias, ...sizes, ...GROUPS });
          const budget = { rtol: 1e-4, atol: 1e-4 };
          assertAllClose(await read("y"), expected.y, { ...budget, name: "y" });
          if (!backward) return;
          assertAllClose(await read("dx"), expected.dx, { ...budget, name: "dx" });
          const sums = { rtol: 1e-4, atol: 5e-3 };
          assertAllClose(await read("dweight"), expected.dweight, { ...sums, name: "dweight" });
          assertAllClose(await read("dbias"), expected.dbias, { ...sums, name: "dbias" });
        },
      });
    },
  };
}

const ADAM = {
  decoupled: false,
  betas: [0.9, 0.999] as const,
  eps: 1e-8,
  weightDecay: 0,
};
const ADAM_STEP = { step: 1, lr: 1e-3, emaDecay: 0.9 };

const adam: BenchCase = {
  name: "adam_ema",
  summary: "Adam with the moving average, 4 Mi weights",
  unit: "GB/s",
  ceiling: "copy_vec4",
  open(gpu) {
    const given = { param: randomValues(MILLIONS, 1), grad: randomValues(MILLIONS, 2) };
    const names = ["param", "grad", "m", "v", "ema"] as const;
    const values = (name: typeof names[number]) =>
      name === "param" || name === "grad" ? given[name] : new Float32Array(MILLIONS);
    const [param, grad, m, v, ema] = names.map((name) => upload(gpu, [MILLIONS], values(name)));
    const tensors = { param: param!, grad: grad!, m: m!, v: v!, ema: ema! };
    const scalars = upload(gpu, [ADAM_SCALARS], adamScalars(ADAM, ADAM_STEP));
    const one = upload(gpu, [1], [1]);
    return programRun(gpu, {
      // Five reads and four writes.
      work: 36 * MILLIONS,
      inputs: [...Object.values(tensors), scalars, one],
      record(capture) {
        adamStep(capture, tensors, scalars, one, ADAM);
        return {};
      },
      async validate() {
        const state = {
          param: Float64Array.from(given.param),
          m: new Float64Array(MILLIONS),
          v: new Float64Array(MILLIONS),
        };
        adamReference(state, given.grad, 1, { ...ADAM, lr: ADAM_STEP.lr });
        const average = state.param.map((value) => (1 - ADAM_STEP.emaDecay) * value);
        const expected = { ...state, ema: average };
        const budget = { rtol: 1e-5, atol: 1e-6 };
        for (const [name, values] of Object.entries(expected)) {
          const actual = await gpu.readF32(tensors[name as keyof typeof expected]);
          assertAllClose(actual, values, { ...budget, name });
        }
      },
    });
  },
};

const fft: BenchCase = {
  name: "fft2",
  summary: "2-D Fourier transforms of 16 images of 32 x 32 x 64",
  unit: "GB/s",
  ceiling: "copy_vec4",
  open(gpu) {
    const count = sizeOf(IMAGES);
    const data = randomValues(count, 1);
    const x = upload(gpu, IMAGES, data);
    return programRun(gpu, {
      // A real number in, a complex one out.
      work: 12 * count,
      inputs: [x],
      record: (capture) => ({
        y: fourierTransform(capture, x, { inverse: false, scale: 1 }),
      }),
      async validate(read) {
        const [samples, height, width, channels] = IMAGES;
        const size = count / samples;
        const expected = dft2(data.subarray(0, size), { samples: 1, height, width, channels });
        const actual = (await read("y")).subarray(0, 2 * size);
        assertAllClose(actual, expected, { rtol: 1e-4, atol: 1e-3, name: "y" });
      },
    });
  },
};

/** What memory limits. */
export const STREAMS: readonly BenchCase[] = [
  silu,
  residual,
  concatenation,
  groupNorm(false),
  groupNorm(true),
  adam,
  fft,
];
