import { Capture } from "../../../device/capture.ts";
import { sizeOf } from "../../../device/tensor.ts";
import {
  canSumPixels,
  groupNormBackward,
  groupNormForward,
} from "../../../kernels/norm/group_norm.ts";
import { sumParts } from "../../../kernels/shared/partial_sums.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { siluForward } from "../../../kernels/elementwise/silu.ts";
import { normaliseReference } from "../../reference/normalise.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { asOne, uploadJoined } from "../../support/joined.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly groups: number;
  /** Added to every input value. */
  readonly offset?: number;
  /** Channels of the first of two tensors that x is joined of. */
  readonly seam?: number;
}

const CASES: readonly Case[] = [
  { shape: [1, 1, 1, 1], groups: 1 },
  { shape: [2, 1, 1, 4], groups: 2 },
  { shape: [2, 3, 5, 7], groups: 7 },
  { shape: [1, 5, 7, 30], groups: 5 },
  { shape: [3, 3, 3, 96], groups: 32 }, // groups of 3 straddle vectors
  { shape: [1, 7, 7, 40], groups: 8, offset: 1000 },
  { shape: [2, 16, 16, 64], groups: 32 },
  { shape: [1, 13, 11, 128], groups: 32 },
  { shape: [2, 2, 3, 1100], groups: 1 }, // more vectors than invocations
  { shape: [1, 1, 2, 1027], groups: 1 },
  { shape: [2, 1, 1, 8], groups: 1, seam: 4 },
  { shape: [2, 3, 5, 24], groups: 6, seam: 8 },
  { shape: [3, 3, 3, 96], groups: 32, seam: 40 }, // a vector's groups lie on both sides
  { shape: [1, 5, 7, 30], groups: 5, seam: 7 },
  { shape: [2, 5, 3, 12], groups: 4, seam: 5 }, // a vector would lie on both sides
  { shape: [2, 9, 7, 384], groups: 32, seam: 256 }, // as in the network for CIFAR-10
  { shape: [2, 2, 3, 1100], groups: 1, seam: 400 },
];

/** Layouts by the lanes of a subgroup; 16 are a CPU's where the adapter is one. */
const TEAMS = [["CPU", 8], ["wide CPU", 16], ["GPU", 32]] as const;

const nameOf = ({ shape, groups, seam }: Case) =>
  `[${shape}] in ${groups} groups${seam ? `, joined at ${seam}` : ""}`;

/** Random key of dropout. */
const KEY = [0x12345678, 0x9abcdef0, 41, 7];

async function run(given: Case, silu: boolean, subgroupSize: number) {
  const { shape, groups, offset = 0, seam } = given;
  const [images, height, width, channels] = shape;
  const count = images * height * width * channels;
  const gpu = await testGpu();
  const x = randomValues(count, 1).map((v) => v + offset), dy = randomValues(count, 2);
  const weight = randomValues(channels, 3), bias = randomValues(channels, 4);
  const options = { groups, eps: 1e-5, silu };
  const actual = await compute(gpu, (outer) => {
    const capture = withSubgroupSize(outer, subgroupSize);
    const refs = {
      x: uploadJoined(gpu, shape, x, seam),
      weight: upload(gpu, [channels], weight),
      bias: upload(gpu, [channels], bias),
    };
    const { y, ...saved } = groupNormForward(capture, refs.x, refs.weight, refs.bias, options);
    const upstream = upload(gpu, shape, dy);
    const { dx, dweight, dbias } = groupNormBackward(
      capture,
      { ...refs, ...saved },
      upstream,
      options,
    );
    return { y, dx: dx!, dweight: sumParts(capture, dweight), dbias: sumParts(capture, dbias) };
  });
  const pixels = height * width;
  actual.dx = asOne(actual.dx, channels, seam);
  const arrays = { x, dy, weight, bias };
  const expected = normaliseReference({ ...arrays, images, pixels, channels, ...options });
  return { actual, expected };
}

for (const given of CASES) {
  for (const silu of [false, true]) {
    for (const [team, size] of TEAMS) {
      const name = nameOf(given);
      Deno.test(
        `groupNorm() and its gradients match the f64 formula for ${name}${
          silu ? " with SiLU" : ""
        }, ${team} layout`,
        async () => {
          const { actual, expected } = await run(given, silu, size);
          // With an offset, one step of the input's own round-off is 2^-14 of a standard deviation.
          const loose = given.offset ? 100 : 1;
          for (const key of ["y", "dx", "dweight", "dbias"] as const) {
            const scale = expected[key].reduce((most, v) => Math.max(most, Math.abs(v)), 1);
            const atol = 3e-6 * scale * loose;
            assertAllClose(actual[key], expected[key], { rtol: 1e-5, atol, name: key });
          }
        },
      );
    }
  }
}

Deno.test("groupNorm() fused with SiLU equals silu(groupNorm(x))", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [2, 4, 4, 32], randomValues(1024, 5));
  const weight = upload(gpu, [32], randomValues(32, 6)), bias = upload(gpu, [32], randomValues(32));
  const { fused, plain } = await compute(gpu, (capture) => {
    const run = (silu: boolean) =>
      groupNormForward(capture, x, weight, bias, { groups: 8, eps: 1e-5, silu }).y;
    return { fused: run(true), plain: siluForward(capture, run(false)) };
  });
  assertAllClose(fused, plain, { rtol: 1e-6, atol: 1e-7 });
});

Deno.test("groupNorm() keeps the variance of data far from zero", async () => {
  const gpu = await testGpu();
  const channels = 4, pixels = 1024;
  // Exact in f32: 2^20 + {-1, 0, 1} has variance 2/3 while x^2 has no bits left for it.
  const x = Float32Array.from({ length: pixels * channels }, (_, i) => 2 ** 20 + i % 3 - 1);
  const { y } = await compute(gpu, (capture) => ({
    y: groupNormForward(
      capture,
      upload(gpu, [1, 32, 32, channels], x),
      upload(gpu, [channels], [1, 1, 1, 1]),
      upload(gpu, [channels], [0, 0, 0, 0]),
      { groups: 1, eps: 1e-5, silu: false },
    ).y,
  }));
  const expected = Array.from(x, (v) => (v - 2 ** 20) / Math.sqrt(2 / 3));
  // At 2^20 the mean itself is a multiple of 1/8, so it may be off by 1/16.
  assertAllClose(y, expected, { rtol: 1e-3, atol: 0.08 });
});

Deno.test("groupNormBackward() leaves out what is not wanted", async () => {
  const gpu = await testGpu();
  const { actual, expected } = await run(
    { shape: [2, 4, 4, 8], groups: 4 },
    true,
    gpu.subgroupSize,
  );
  const { affine } = await compute(gpu, (capture) => {
    const x = upload(gpu, [2, 4, 4, 8], randomValues(256, 1));
    const weight = upload(gpu, [8], randomValues(8, 3));
    const bias = upload(gpu, [8], randomValues(8, 4));
    const options = { groups: 4, eps: 1e-5, silu: true };
    const { mean, rstd } = groupNormForward(capture, x, weight, bias, options);
    const saved = { x, weight, bias, mean, rstd };
    const dy = upload(gpu, [2, 4, 4, 8], randomValues(256, 2));
    const { dx, dweight } = groupNormBackward(capture, saved, dy, options, { x: false });
    assertEquals(dx, null);
    return { affine: sumParts(capture, dweight) };
  });
  assertAllClose(affine, actual.dweight, { rtol: 0, atol: 0 });
  assertAllClose(affine, expected.dweight, { rtol: 1e-5, atol: 1e-5 });
});

/** The whole ones, and of the joined ones one of each kind: a case makes thirty kernels a layout. */
const IN_PLACE = CASES.filter(({ seam = 0 }) => [0, 5, 40, 256].includes(seam));

for (const given of IN_PLACE) {
  for (const [team, size] of TEAMS) {
    Deno.test(`groupNormBackward() leaves the forward pass's y in the place of dy for ${nameOf(given)}, ${team} layout`, async () => {
      const gpu = await testGpu();
      const { shape, groups, offset = 0, seam } = given;
      const count = sizeOf(shape), channels = shape[3];
      const values = randomValues(count, 1).map((v) => v + offset);
      const wide = [channels, seam ?? 0].every((n) => n % 4 === 0);
      const dropouts = wide ? [undefined, { p: 0.3, stream: 20 }] : [undefined];
      for (const silu of [false, true]) {
        for (const dropout of dropouts) {
          for (const fused of [0, 1, 2]) {
            const [a, b] = [randomValues(count, 5), randomValues(count, 6)];
            const run = (wantsY: boolean, plus = [a, b].slice(0, fused)) =>
              compute(gpu, (outer) => {
                const capture = withSubgroupSize(outer, size);
                const refs = {
                  x: uploadJoined(gpu, shape, values, seam),
                  weight: upload(gpu, [channels], randomValues(channels, 3)),
                  bias: upload(gpu, [channels], randomValues(channels, 4)),
                };
                const key = upload(gpu, [4], KEY, "u32");
                const options = {
                  groups,
                  eps: 1e-5,
                  silu,
                  dropout: dropout && { ...dropout, key },
                };
                const { y, ...saved } = groupNormForward(
                  capture,
                  refs.x,
                  refs.weight,
                  refs.bias,
                  options,
                );
                const dy = upload(gpu, shape, randomValues(count, 2));
                const matrix = upload(gpu, [shape[0], channels], randomValues(shape[0] * channels));
                const wanted = {
                  x: true,
                  y: wantsY,
                  plus: plus.map((values) => uploadJoined(gpu, shape, values, seam)),
                  sums: fused > 0 && canSumPixels(capture) ? { matrix, start: 0 } : undefined,
                };
                const { dx, dweight } = groupNormBackward(
                  capture,
                  { ...refs, ...saved },
                  dy,
                  options,
                  wanted,
                );
                return {
                  y,
                  dx: dx!,
                  dweight: sumParts(capture, dweight),
                  again: scaleForward(capture, dy, 1),
                  sums: scaleForward(capture, matrix, 1),
                };
              });
            const { again, ...withY } = await run(true);
            const { again: dy, ...without } = await run(false);
            assertEquals(again, withY.y);
            assertEquals(dy, randomValues(count, 2));
            if (fused > 0) {
              const dx = asOne(without.dx, channels, seam), pixels = shape[1] * shape[2];
              const sums = Float64Array.from(randomValues(shape[0] * channels));
              const scale = dx.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
              dx.forEach((v, i) => {
                sums[Math.floor(i / channels / pixels) * channels + i % channels]! += v;
              });
              assertAllClose(without.sums, sums, { rtol: 1e-5, atol: 1e-5 * scale, name: "sums" });
            }
            assertEquals(withY, without, "the gradients are the same bits");
            if (fused === 2) {
              const { again: _, ...summed } = await run(false, [a.map((v, i) => v + b[i]!)]);
              assertEquals(summed, without, "two tensors are added as their sum");
            }
          }
        }
      }
    });
  }
}

Deno.test("groupNorm() refuses groups that do not divide the channels", async () => {
  const gpu = await testGpu();
  const x = gpu.tensor([1, 2, 2, 6]), affine = gpu.tensor([6]);
  const options = { groups: 4, eps: 1e-5, silu: false };
  assertThrows(
    () => groupNormForward(new Capture(gpu, "test"), x, affine, affine, options),
    RangeError,
    "groups must divide its last axis, got 4",
  );
});

Deno.test("groupNorm() refuses a weight of the wrong size", async () => {
  const gpu = await testGpu();
  const x = gpu.tensor([1, 2, 2, 8]), affine = gpu.tensor([8]);
  const options = { groups: 4, eps: 1e-5, silu: false };
  assertThrows(
    () => groupNormForward(new Capture(gpu, "test"), x, gpu.tensor([4]), affine, options),
    RangeError,
    "weight must have 8 elements, got [4]",
  );
});
