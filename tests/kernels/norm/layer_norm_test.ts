import { Capture } from "../../../device/capture.ts";
import {
  layerNormBackwardAffine,
  layerNormBackwardInput,
  layerNormForward,
} from "../../../kernels/norm/layer_norm.ts";
import { sumParts } from "../../../kernels/shared/partial_sums.ts";
import { normaliseReference } from "../../reference/normalise.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";

const SHAPES = [[1, 1], [3, 7], [2, 5, 16], [1, 300, 12], [67, 300], [9000, 3]] as const;

for (const shape of SHAPES) {
  for (const [team, size] of [["CPU", 8], ["GPU", 32]] as const) {
    for (const offset of [0, 1000]) {
      const title = `[${shape}]${offset ? " far from zero" : ""}, ${team} layout`;
      Deno.test(`layerNorm() and its gradients match the f64 formula for ${title}`, async () => {
        const channels = shape.at(-1)!;
        const count = shape.reduce((product: number, n) => product * n, 1);
        const gpu = await testGpu();
        const x = randomValues(count, 1).map((v) => v + offset), dy = randomValues(count, 2);
        const weight = randomValues(channels, 3), bias = randomValues(channels, 4);
        const actual = await compute(gpu, (outer) => {
          const capture = withSubgroupSize(outer, size);
          const refs = { x: upload(gpu, shape, x), weight: upload(gpu, [channels], weight) };
          const shift = upload(gpu, [channels], bias);
          const upstream = upload(gpu, shape, dy);
          const { y, ...moments } = layerNormForward(capture, refs.x, refs.weight, shift, 1e-5);
          const saved = { ...refs, ...moments };
          const { dweight, dbias } = layerNormBackwardAffine(capture, saved, upstream);
          return {
            y,
            dx: layerNormBackwardInput(capture, saved, upstream),
            dweight: sumParts(capture, dweight),
            dbias: sumParts(capture, dbias),
          };
        });
        const images = count / channels;
        const arrays = { x, dy, weight, bias };
        const sizes = { images, pixels: 1, channels, groups: 1 };
        const expected = normaliseReference({ ...arrays, ...sizes, eps: 1e-5, silu: false });
        // A row of a single value has rstd 316, and an offset costs 2^-14 of input round-off.
        for (const key of ["y", "dx", "dweight", "dbias"] as const) {
          const scale = expected[key].reduce((most, v) => Math.max(most, Math.abs(v)), 1);
          // The shortest rows may lie so close together that 1 / sqrt(variance) magnifies.
          const loose = (offset ? 100 : 1) * (channels < 8 ? 20 : 1);
          const atol = 3e-6 * scale * loose;
          assertAllClose(actual[key], expected[key], { rtol: 1e-5, atol, name: key });
        }
      });
    }
  }
}

Deno.test("layerNorm() refuses a bias of the wrong size", async () => {
  const gpu = await testGpu();
  const [x, weight, bias] = [gpu.tensor([2, 6]), gpu.tensor([6]), gpu.tensor([2])];
  assertThrows(
    () => layerNormForward(new Capture(gpu, "test"), x, weight, bias, 1e-5),
    RangeError,
    "bias must have 6 elements, got [2]",
  );
});
