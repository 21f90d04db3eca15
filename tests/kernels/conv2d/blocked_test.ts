import { conv2dForward, conv2dInputGrad, conv2dShape } from "../../../kernels/conv2d/conv2d.ts";
import { PORTABLE_FAMILIES, setVariantPolicy } from "../../../kernels/shared/variants.ts";
import { conv2dGradReference, conv2dReference } from "../../reference/conv2d.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";
import { compute, randomValues, restorePolicy, testGpu, upload } from "../../support/gpu.ts";

/** Each exercises other code: channels by vectors and one by one, blocks that end early, strides. */
const SHAPES = [
  { x: [1, 6, 5, 33], weight: [3, 3, 33, 5], padding: [1, 1], stride: 1 },
  { x: [2, 9, 8, 36], weight: [4, 4, 36, 68], padding: [2, 1], stride: 2 },
  { x: [2, 8, 8, 128], weight: [3, 3, 128, 64], padding: [1, 1], stride: 1 },
] as const;

const rootMeanSquare = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0) / values.length);

for (const { x: xShape, weight: wShape, padding, stride } of SHAPES) {
  Deno.test(`blocked conv2d() rounds less in every family for x [${xShape}], weight [${wShape}]`, async () => {
    const gpu = await testGpu();
    const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b);
    // Of one sign, so that a chain's sums grow with it and rounding shows at its worst.
    const above = (values: Float32Array) => values.map((v) => 0.5 + Math.abs(v));
    const x = above(randomValues(size(xShape), 1)), w = above(randomValues(size(wShape), 2));
    const weight = upload(gpu, wShape, w), xRef = upload(gpu, xShape, x);
    const shape = conv2dShape(xShape, weight, { padding, stride });
    const { n, oh, ow, ci, co, kh, kw } = shape;
    const terms = { y: kh * kw * ci, dx: kh * kw * co / stride ** 2 };
    const dy = above(randomValues(n * oh * ow * co, 3)), plus = randomValues(x.length, 4);
    const bias = randomValues(co, 5);
    const dyRef = upload(gpu, [n, oh, ow, co], dy), plusRef = upload(gpu, xShape, plus);
    const biasRef = upload(gpu, [co], bias);
    const y = conv2dReference(shape, x, w).map((v, i) => v + bias[i % co]!);
    const dx = conv2dGradReference(shape, x, w, dy).dx.map((v, i) => v + plus[i]!);
    const run = (blocked: boolean) =>
      compute(gpu, (capture) => ({
        y: conv2dForward(capture, xRef, weight, shape, { bias: biasRef }, blocked),
        dx: conv2dInputGrad(capture, weight, dyRef, shape, plusRef, blocked),
      }));
    const errors = (found: ArrayLike<number>, exact: ArrayLike<number>) =>
      rootMeanSquare(Array.from(exact, (v, i) => (found[i]! - v) / (Math.abs(v) * 2 ** -24)));
    try {
      for (const forced of PORTABLE_FAMILIES) {
        setVariantPolicy(gpu, { forced });
        const chain = await run(false), blocks = await run(true);
        for (const [name, exact] of [["y", y], ["dx", dx]] as const) {
          assertAllClose(blocks[name]!, exact, {
            rtol: 1e-6,
            atol: 1e-6,
            name: `${name} ${forced}`,
          });
          const [one, many] = [chain, blocks].map((results) => errors(results[name]!, exact));
          const told = `${name} by ${forced}: ${many} roundings in blocks, ${one} in a chain`;
          assert(many! < 4, told);
          // Those of plain keep what additions lose.
          if (forced === "plain") assertEquals(blocks[name], chain[name]);
          else if (terms[name] > 200) assert(many! < 0.6 * one!, told);
        }
      }
    } finally {
      restorePolicy(gpu);
    }
  });
}
