import { Graph } from "../../../autograd/graph.ts";
import { adaptiveGroupNorm } from "../../../autograd/ops/group_norm.ts";
import { filmAffine } from "../../../autograd/ops/film_affine.ts";
import { Capture } from "../../../device/capture.ts";
import { groupNormForward } from "../../../kernels/norm/group_norm.ts";
import { filmAffineForward } from "../../../kernels/norm/film_affine.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { normaliseReference } from "../../reference/normalise.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";

for (
  const [images, channels, extra, start] of [[1, 1, 0, 0], [3, 5, 4, 1], [2, 8, 8, 8]] as const
) {
  Deno.test(`filmAffine() and its gradients match the f64 formula for ${images} images of ${channels} channels from column ${start}`, async () => {
    const row = 2 * channels + extra;
    const operands = [operand([channels], 1), operand([channels], 2), operand([images, row], 3)];
    const reference = ([weight, bias, changes]: ArrayLike<number>[]) =>
      Array.from({ length: images * 2 * channels }, (_, i) => {
        const c = i % channels, n = Math.floor(i / channels / 2);
        const at = n * row + start + c;
        const scale = 1 + changes![at]!;
        return i / channels % 2 < 1
          ? weight![c]! * scale
          : bias![c]! * scale + changes![at + channels]!;
      });
    const out = await differentiate(
      await testGpu(),
      operands,
      ([weight, bias, changes]) => filmAffine(weight!, bias!, changes!, start),
    );
    const values = operands.map((one) => one.values);
    assertEquals(out.shape, [images, 2, channels]);
    assertAllClose(out.y, reference(values));
    out.grads.forEach((grad, i) =>
      assertAllClose(grad, finiteDifference(reference, values, i, out.dy), {
        name: `gradient ${i}`,
        atol: 2e-6,
      })
    );
  });
}

for (
  const [shape, groups] of [[[3, 3, 5, 8], 2], [[2, 1, 7, 6], 3], [[2, 4, 4, 32], 32]] as const
) {
  for (const size of [8, 32]) {
    for (const silu of [false, true]) {
      Deno.test(`adaptiveGroupNorm() is the f64 normalisation of each image by itself for [${shape}]${silu ? " with SiLU" : ""}, subgroups of ${size}`, async () => {
        const gpu = await testGpu();
        const [images, height, width, channels] = shape;
        const length = height * width * channels;
        const x = operand(shape, 1), affine = operand([images, 2, channels], 2);
        const capture = withSubgroupSize(new Capture(gpu, "test"), size);
        const graph = new Graph(capture);
        const [tx, ta] = [x, affine].map((one) =>
          graph.variable(upload(gpu, one.shape, one.values))
        );
        const y = adaptiveGroupNorm(tx!, ta!, { groups, silu });
        const dy = randomValues(images * length, 77);
        const grads = graph.backward(y, upload(gpu, shape, dy));
        const kept = [y.ref, grads.get(tx!)!, grads.get(ta!)!].map((ref) => capture.keep(ref));
        const program = await capture.plan();
        program.run();
        const [ys, dx, dAffine] = [
          await program.readF32(kept[0]!),
          await program.readF32(kept[1]!),
          await program.readF32(kept[2]!),
        ];
        program.destroy();
        for (let n = 0; n < images; n++) {
          const own = (values: ArrayLike<number>) =>
            Array.from(values).slice(n * length, (n + 1) * length);
          const scales = (values: ArrayLike<number>, which: number) =>
            Array.from(values).slice((2 * n + which) * channels, (2 * n + which + 1) * channels);
          const expected = normaliseReference({
            x: own(x.values),
            dy: own(dy),
            weight: scales(affine.values, 0),
            bias: scales(affine.values, 1),
            images: 1,
            pixels: height * width,
            channels,
            groups,
            eps: 1e-5,
            silu,
          });
          assertAllClose(own(ys), expected.y, { name: `y of image ${n}` });
          assertAllClose(own(dx), expected.dx, { name: `dx of image ${n}`, atol: 1e-5 });
          assertAllClose(scales(dAffine, 0), expected.dweight, { name: "dweight", atol: 1e-5 });
          assertAllClose(scales(dAffine, 1), expected.dbias, { name: "dbias", atol: 1e-5 });
        }
      });
    }
  }
}

Deno.test("filmAffineForward() refuses columns that the matrix lacks, groupNormForward() too few weights", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const vector = gpu.tensor([4]);
  assertThrows(
    () => filmAffineForward(capture, vector, vector, { matrix: gpu.tensor([2, 11]), start: 4 }),
    RangeError,
    "columns 4 to 12, got 4 and a matrix of [2, 11]",
  );
  assertThrows(
    () =>
      groupNormForward(capture, gpu.tensor([3, 2, 2, 4]), gpu.tensor([2, 2, 4]), undefined, {
        groups: 2,
        eps: 1e-5,
        silu: false,
      }),
    RangeError,
    "weight must have 24 elements, got [2, 2, 4]",
  );
});
