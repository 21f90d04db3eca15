import { Capture } from "../../../device/capture.ts";
import { byteLengthOf, sizeOf, slice } from "../../../device/tensor.ts";
import { sumParts } from "../../../kernels/shared/partial_sums.ts";
import {
  conv2dForward,
  conv2dInputGrad,
  conv2dInputGradOfLayers,
  conv2dShape,
  conv2dWeightGrad,
  conv2dWeightGrads,
  withSeam,
} from "../../../kernels/conv2d/conv2d.ts";
import { conv2dGradReference, conv2dReference } from "../../reference/conv2d.ts";
import { upsampleReference } from "../../reference/pool.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { asOne, uploadJoined } from "../../support/joined.ts";
import { weightGrads } from "../../support/weight_grads.ts";

interface Case {
  readonly x: [number, number, number, number];
  readonly weight: [number, number, number, number];
  readonly stride?: number;
  readonly padding?: [number, number];
  /** Channels of the first of two tensors that x is joined of. */
  readonly seam?: number;
  /** Whether each pixel of x is read as four. */
  readonly doubled?: boolean;
}

const CASES: Case[] = [
  { x: [1, 5, 7, 3], weight: [3, 3, 3, 6], padding: [1, 1] },
  { x: [2, 8, 8, 16], weight: [3, 3, 16, 16], padding: [1, 1] },
  { x: [3, 9, 5, 8], weight: [3, 3, 8, 36], padding: [1, 1] },
  { x: [2, 13, 11, 12], weight: [3, 3, 12, 10], padding: [1, 1] },
  { x: [2, 8, 8, 20], weight: [3, 3, 20, 32], padding: [1, 1], stride: 2 },
  { x: [1, 7, 9, 4], weight: [3, 3, 4, 8], padding: [1, 1], stride: 2 },
  { x: [1, 9, 9, 4], weight: [3, 3, 4, 5], stride: 2 },
  { x: [1, 11, 10, 4], weight: [4, 4, 4, 8], stride: 3, padding: [2, 1] },
  { x: [2, 4, 4, 32], weight: [1, 1, 32, 16] },
  { x: [1, 5, 3, 7], weight: [1, 1, 7, 9] },
  { x: [2, 6, 6, 8], weight: [1, 1, 8, 8], stride: 2 },
  { x: [1, 6, 7, 4], weight: [5, 5, 4, 5], padding: [2, 2] },
  { x: [1, 9, 8, 4], weight: [1, 7, 4, 8], padding: [0, 3] },
  { x: [1, 8, 9, 4], weight: [7, 1, 4, 6], padding: [3, 0] },
  { x: [1, 1, 1, 1], weight: [3, 3, 1, 1], padding: [1, 1] },
  { x: [5, 16, 16, 8], weight: [3, 3, 8, 8], padding: [1, 1] },
  { x: [9, 16, 16, 3], weight: [3, 3, 3, 12], padding: [1, 1] },
  { x: [2, 9, 6, 20], weight: [3, 3, 20, 3], padding: [1, 1] },
  { x: [2, 9, 6, 8], weight: [3, 3, 8, 1], padding: [1, 1], stride: 2 },
  { x: [2, 9, 7, 1], weight: [3, 3, 1, 8], padding: [1, 1], stride: 2 },
  { x: [4, 32, 32, 4], weight: [1, 1, 4, 4] },
  { x: [2, 4, 4, 32], weight: [1, 1, 32, 16], seam: 20 },
  { x: [1, 5, 3, 12], weight: [1, 1, 12, 9], seam: 4 },
  { x: [3, 7, 5, 44], weight: [1, 1, 44, 40], seam: 28 },
  { x: [2, 16, 16, 96], weight: [1, 1, 96, 64], seam: 64 },
  { x: [1, 16, 16, 192], weight: [1, 1, 192, 128], seam: 64 },
  { x: [4, 32, 32, 8], weight: [1, 1, 8, 3], seam: 4 },
  { x: [2, 4, 4, 16], weight: [3, 3, 16, 16], padding: [1, 1], doubled: true },
  { x: [2, 3, 5, 7], weight: [3, 3, 7, 6], padding: [1, 1], doubled: true },
  { x: [1, 8, 16, 32], weight: [3, 3, 32, 16], padding: [1, 1], doubled: true },
  { x: [3, 5, 2, 12], weight: [4, 2, 12, 8], padding: [2, 1], stride: 3, doubled: true },
  { x: [2, 4, 4, 32], weight: [1, 1, 32, 16], doubled: true },
];

/** The gradient of an image from that of the image twice as large, `[n, h, w, c]`. */
function summedByFour([n, h, w, c]: readonly number[], large: Float64Array): Float64Array {
  const small = new Float64Array(n! * h! * w! * c! / 4);
  large.forEach((v, i) => {
    const pixel = Math.floor(i / c!), line = Math.floor(pixel / w!);
    small[((line >> 1) * (w! >> 1) + (pixel % w! >> 1)) * c! + i % c!]! += v;
  });
  return small;
}

for (const { x: xShape, weight: wShape, seam, doubled = false, ...options } of CASES) {
  const name = `x [${xShape}], weight [${wShape}], ${
    JSON.stringify({ ...options, seam, ...doubled && { doubled } })
  }`;
  Deno.test(`conv2d() and its gradients match the f64 sums for ${name}`, async () => {
    const gpu = await testGpu();
    const size = (shape: number[]) => shape.reduce((a, b) => a * b);
    const x = randomValues(size(xShape), 1), w = randomValues(size(wShape), 2);
    const weight = upload(gpu, wShape, w);
    const [n, h, w0, ci] = xShape;
    const read = doubled ? [n, 2 * h, 2 * w0, ci] as const : xShape;
    const shape = withSeam({ ...conv2dShape(read, weight, options), doubled }, seam);
    const dy = randomValues(shape.n * shape.oh * shape.ow * shape.co, 3);
    const { y, dx, dw, db } = await compute<string>(gpu, (capture) => {
      const xRef = uploadJoined(gpu, xShape, x, seam);
      const dyRef = upload(gpu, [shape.n, shape.oh, shape.ow, shape.co], dy);
      return {
        y: conv2dForward(capture, xRef, weight, shape),
        dx: conv2dInputGrad(capture, weight, dyRef, shape),
        ...weightGrads(capture, xRef, dyRef, shape),
      };
    });
    const large = doubled ? upsampleReference(xShape, x) : x;
    const grads = conv2dGradReference(shape, large, w, dy);
    assertAllClose(y!, conv2dReference(shape, large, w), { atol: 2e-5, rtol: 1e-5, name: "y" });
    const ofX = doubled ? summedByFour(read, grads.dx) : grads.dx;
    // With the sums of four pixels in one, round-off is twice as large.
    const atolX = doubled ? 4e-5 : 2e-5;
    assertAllClose(asOne(dx!, xShape[3], seam), ofX, { atol: atolX, rtol: 1e-5, name: "dx" });
    // Each weight sums over all pixels, and round-off grows with the root of their number.
    const atol = 5e-6 * Math.sqrt(shape.n * shape.oh * shape.ow);
    assertAllClose(dw!, grads.dw, { atol, rtol: 1e-5, name: "dw" });
    assertAllClose(db!, grads.db, { atol, rtol: 1e-5, name: "db" });
  });
}

// Tiles across images, and tiles that each lie inside one.
for (const [height, width] of [[5, 3], [8, 12]] as const) {
  for (const [co, kernel] of [[8, 3], [8, 1], [5, 3], [5, 1]] as const) {
    Deno.test(`conv2d() of ${kernel}x${kernel} to ${height}x${width}x${co} adds bias, a vector an image and a residual`, async () => {
      const gpu = await testGpu();
      const pixels = height * width;
      const xShape = [3, height, width, 4], outShape = [3, height, width, co];
      const x = randomValues(3 * pixels * 4, 1), w = randomValues(kernel * kernel * 4 * co, 2);
      const bias = randomValues(co, 3), perImage = randomValues(3 * co, 4);
      const residual = randomValues(3 * pixels * co, 5);
      const weight = upload(gpu, [kernel, kernel, 4, co], w);
      const padding: [number, number] = kernel === 3 ? [1, 1] : [0, 0];
      const shape = conv2dShape(xShape, weight, { padding });
      const { y } = await compute(gpu, (capture) => ({
        y: conv2dForward(capture, upload(gpu, xShape, x), weight, shape, {
          bias: upload(gpu, [co], bias),
          perImage: upload(gpu, [3, co], perImage),
          residual: upload(gpu, outShape, residual),
        }),
      }));
      const ofImage = (i: number) => perImage[Math.floor(i / (pixels * co)) * co + i % co]!;
      const expected = conv2dReference(shape, x, w).map((v, i) =>
        v + bias[i % co]! + ofImage(i) + residual[i]!
      );
      assertAllClose(y, expected, { atol: 2e-5, rtol: 1e-5 });
    });
  }
}

for (const [co, seam] of [[8, 4], [64, 44], [5, 8]] as const) {
  Deno.test(`conv2d() of two joined at ${seam} to ${co} channels adds bias and residual, and its gradient another`, async () => {
    const gpu = await testGpu();
    const xShape = [3, 5, 7, 52], outShape = [3, 5, 7, co], pixels = 105, ci = 52;
    const x = randomValues(pixels * ci, 1), w = randomValues(ci * co, 2);
    const bias = randomValues(co, 3), residual = randomValues(pixels * co, 4);
    const dy = randomValues(pixels * co, 5), plus = randomValues(pixels * ci, 6);
    const weight = upload(gpu, [1, 1, ci, co], w);
    const shape = withSeam(conv2dShape(xShape, weight, {}), seam);
    const { y, dx } = await compute(gpu, (capture) => ({
      y: conv2dForward(capture, uploadJoined(gpu, xShape, x, seam), weight, shape, {
        bias: upload(gpu, [co], bias),
        residual: upload(gpu, outShape, residual),
      }),
      dx: conv2dInputGrad(
        capture,
        weight,
        upload(gpu, outShape, dy),
        shape,
        uploadJoined(gpu, xShape, plus, seam),
      ),
    }));
    const sums = conv2dReference(shape, x, w).map((v, i) => v + bias[i % co]! + residual[i]!);
    assertAllClose(y, sums, { atol: 2e-5, rtol: 1e-5, name: "y" });
    const grads = conv2dGradReference(shape, x, w, dy).dx.map((v, i) => v + plus[i]!);
    assertAllClose(asOne(dx, ci, seam), grads, { atol: 2e-5, rtol: 1e-5, name: "dx" });
  });
}

for (
  const [xShape, wShape, padding] of [
    [[2, 4, 4, 16], [1, 1, 16, 12], [0, 0]],
    [[1, 16, 16, 32], [1, 1, 32, 64], [0, 0]],
    [[2, 5, 3, 8], [3, 3, 8, 7], [1, 1]],
    [[1, 5, 7, 3], [3, 3, 3, 4], [1, 1]],
    [[5, 16, 32, 8], [3, 1, 8, 8], [1, 0]],
  ] as const
) {
  Deno.test(`conv2dWeightGrads() of three layers [${wShape}] over [${xShape}] match the f64 sums`, async () => {
    const gpu = await testGpu();
    const x = randomValues(sizeOf(xShape), 1);
    const shape = conv2dShape(xShape, gpu.tensor(wShape), { padding });
    const { n, oh, ow, co } = shape, each = n * oh * ow * co;
    const dy = randomValues(3 * each, 2);
    const sums = await compute<string>(gpu, (capture) => {
      const refs = [upload(gpu, xShape, x), upload(gpu, [3, n, oh, ow, co], dy)] as const;
      const grads = conv2dWeightGrads(capture, ...refs, shape, 3);
      return Object.fromEntries(grads.flatMap(({ weight, bias }, i) => [
        [`dw${i}`, sumParts(capture, weight)],
        [`db${i}`, sumParts(capture, bias!)],
      ]));
    });
    const atol = 5e-6 * Math.sqrt(n * oh * ow), w = new Float32Array(sizeOf(wShape));
    for (const i of [0, 1, 2]) {
      const grads = conv2dGradReference(shape, x, w, dy.slice(i * each, (i + 1) * each));
      assertAllClose(sums[`dw${i}`]!, grads.dw, { atol, rtol: 1e-5, name: `dw ${i}` });
      assertAllClose(sums[`db${i}`]!, grads.db, { atol, rtol: 1e-5, name: `db ${i}` });
    }
  });
}

for (
  const [n, h, w, ci, co, gap] of [
    [2, 4, 4, 16, 16, 64],
    [1, 5, 3, 12, 8, 64],
    [1, 16, 8, 64, 32, 128],
    [2, 4, 8, 5, 7, 1], // weights that no vector can begin at
    [1, 4, 4, 6, 10, 4],
  ] as const
) {
  for (const added of [false, true]) {
    Deno.test(`conv2dInputGradOfLayers() of three weights [${ci}, ${co}], ${gap} floats apart, over [${n},${h},${w}] match the f64 sums${added ? ", added to another" : ""}`, async () => {
      const gpu = await testGpu();
      const size = ci * co, step = Math.ceil((size + gap) / 64) * 64, pixels = n * h * w;
      const all = randomValues(3 * step, 1), dy = randomValues(3 * pixels * co, 2);
      const plus = randomValues(pixels * ci, 3);
      const arena = upload(gpu, [all.length], all);
      const weights = [0, 1, 2].map((i) => slice(arena, i * step, [1, 1, ci, co]));
      const shape = conv2dShape([n, h, w, ci], weights[0]!, {});
      const { dx, apart } = await compute(gpu, (capture) => {
        const ref = upload(gpu, [3, n, h, w, co], dy);
        const other = added ? upload(gpu, [n, h, w, ci], plus) : undefined;
        const dx = conv2dInputGradOfLayers(capture, weights, ref, shape, other);
        assertEquals(capture.dispatches.length, 1);
        // In another order they are no even distance apart.
        const swapped = [weights[0]!, weights[2]!, weights[1]!];
        return { dx, apart: conv2dInputGradOfLayers(capture, swapped, ref, shape, other) };
      });
      const x = new Float32Array(pixels * ci);
      const sum = (order: readonly number[]) => {
        const total = Float64Array.from(added ? plus : x);
        order.forEach((layer, i) => {
          const weight = all.subarray(layer * step, layer * step + size);
          const upstream = dy.subarray(i * pixels * co, (i + 1) * pixels * co);
          conv2dGradReference(shape, x, weight, upstream).dx.forEach((v, j) => total[j]! += v);
        });
        return total;
      };
      assertAllClose(dx, sum([0, 1, 2]), { atol: 2e-5, rtol: 1e-5, name: "dx" });
      assertAllClose(apart, sum([0, 2, 1]), { atol: 2e-5, rtol: 1e-5, name: "apart" });
    });
  }
}

Deno.test("conv2d() refuses two joined tensors where the kernel is not 1x1", async () => {
  const gpu = await testGpu();
  const shape = conv2dShape([1, 5, 5, 8], gpu.tensor([3, 3, 8, 8]), {});
  assertThrows(() => withSeam(shape, 4), RangeError, "must be 1x1");
});

Deno.test("conv2d() refuses channels that differ and names both shapes", async () => {
  const gpu = await testGpu();
  const weight = gpu.tensor([3, 3, 4, 8]);
  assertThrows(() => conv2dShape([1, 5, 5, 3], weight, {}), RangeError, "must be [N, H, W, 4]");
});

Deno.test("conv2dWeightGrad() keeps the parts of large batches within 32 MiB", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "large");
  const weight = capture.transient([3, 3, 256, 256], "weight");
  const [x, dy] = ["x", "dy"].map((name) => capture.transient([64, 32, 32, 256], name));
  conv2dWeightGrad(capture, x!, dy!, conv2dShape(x!.shape, weight, { padding: [1, 1] }));
  const written = capture.dispatches.flatMap(({ bindings }) =>
    bindings.filter(({ access }) => access === "write").map(({ tensor }) => byteLengthOf(tensor))
  );
  assert(Math.max(...written) <= 32 << 20, `${Math.max(...written)} bytes`);
});
