import { clip } from "../../../autograd/ops/clip.ts";
import { exp } from "../../../autograd/ops/exp.ts";
import { rmsNorm } from "../../../autograd/ops/rms_norm.ts";
import { weightNorm } from "../../../autograd/ops/weight_norm.ts";
import { cosineFeatures } from "../../../kernels/elementwise/cosine_features.ts";
import { weightNormForward } from "../../../kernels/norm/weight_norm.ts";
import { assert, assertAllClose } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

/** `factor x / (eps + root mean square)` of a vector, and its gradient. */
function normalised(x: number[], dy: number[], factor: number, eps: number) {
  const r = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
  const along = x.reduce((sum, v, i) => sum + v * dy[i]!, 0);
  return {
    y: x.map((v) => factor * v / (eps + r)),
    dx: x.map((v, i) =>
      factor * (dy[i]! / (eps + r) - v * along / (x.length * r * (eps + r) ** 2))
    ),
  };
}

Deno.test("weightNorm() gives each output weights of a fixed size, over which training writes", async () => {
  const gpu = await testGpu();
  for (const shape of [[3, 3, 5, 7], [40, 33], [1, 2]]) {
    const w = operand(shape, 3), columns = shape.at(-1)!, rows = w.values.length / columns;
    const options = { factor: 0.37, eps: 0.1 };
    for (const training of [false, true]) {
      const { y, dy, grads } = await differentiate(
        gpu,
        [w],
        ([weight]) => weightNorm(weight!, options),
        { training },
      );
      for (let column = 0; column < columns; column++) {
        const pick = (values: ArrayLike<number>) =>
          Array.from({ length: rows }, (_, row) => values[row * columns + column]!);
        const own = pick(w.values);
        const there = training ? normalised(own, own, 1, 0.1).y : own;
        const expected = normalised(there, pick(dy), 0.37, 0.1);
        assertAllClose(pick(y), expected.y, { rtol: 2e-6, atol: 1e-7 });
        assertAllClose(pick(grads[0]!), expected.dx, { rtol: 2e-5, atol: 1e-6 });
      }
    }
  }
});

Deno.test("weightNorm() divides by a least length where eps is not added", async () => {
  const rows = 12, columns = 5, factor = 0.37, eps = 0.5;
  // The first two columns are shorter than the least length.
  const values = randomValues(rows * columns, 4).map((v, i) => i % columns < 2 ? v / 8 : v);
  const { y, dy, grads } = await differentiate(
    await testGpu(),
    [{ shape: [rows, columns], values }],
    ([weight]) => weightNorm(weight!, { factor, eps, added: false }),
  );
  for (let column = 0; column < columns; column++) {
    const pick = (all: ArrayLike<number>) =>
      Array.from({ length: rows }, (_, row) => all[row * columns + column]!);
    const own = pick(values), short = column < 2;
    const plain = normalised(own, pick(dy), factor, 0);
    const expected = short
      ? { y: own.map((v) => factor * v / eps), dx: pick(dy).map((v) => factor * v / eps) }
      : plain;
    assertAllClose(pick(y), expected.y, { rtol: 2e-6, atol: 1e-7 });
    assertAllClose(pick(grads[0]!), expected.dx, { rtol: 2e-5, atol: 1e-6 });
  }
});

Deno.test("weightNorm() has scales whose errors do not lean to one side", async () => {
  const gpu = await testGpu();
  // Of 11 bits, as those of half-precision checkpoints: their squares are equally rounded.
  const shape = [3, 3, 16, 64], columns = 64, rows = 144, eps = 1e-4;
  const w = randomValues(rows * columns, 5, 0.3).map((v) => Math.round(v * 2048) / 2048);
  const { y } = await compute(gpu, (capture) => ({
    y: weightNormForward(capture, upload(gpu, shape, w), { factor: 1 / 12, eps }),
  }));
  const errors = Array.from({ length: columns }, (_, column) => {
    let squares = 0, along = 0;
    for (let i = column; i < w.length; i += columns) {
      squares += w[i]! ** 2;
      along += w[i]! * (y[i] as number);
    }
    return along / squares * 12 * (eps + Math.sqrt(squares / rows)) - 1;
  });
  const mean = errors.reduce((sum, error) => sum + error, 0) / columns;
  assert(Math.abs(mean) < 1.5e-8, `scales are off by ${mean} on average`);
  assertAllClose(errors, errors.map(() => 0), { rtol: 0, atol: 7e-8 });
});

Deno.test("rmsNorm() with an added eps divides by the length and eps", async () => {
  const gpu = await testGpu();
  for (const shape of [[3, 2, 8], [5, 7]]) {
    const x = operand(shape, 9), c = shape.at(-1)!;
    const { y, dy, grads } = await differentiate(
      gpu,
      [x],
      ([input]) => rmsNorm(input!, { eps: 0.2 * Math.sqrt(c), added: true }),
    );
    for (let row = 0; row < x.values.length / c; row++) {
      const pick = (values: ArrayLike<number>) => Array.from(values).slice(row * c, (row + 1) * c);
      const expected = normalised(pick(x.values), pick(dy), 1, 0.2);
      assertAllClose(pick(y), expected.y, { rtol: 2e-6, atol: 1e-7 });
      assertAllClose(pick(grads[0]!), expected.dx, { rtol: 2e-5, atol: 1e-6 });
    }
  }
});

Deno.test("clip() has the gradient of what it left, exp() of what it gave", async () => {
  const gpu = await testGpu();
  const x = operand([2, 3, 7], 4);
  const clipped = await differentiate(gpu, [x], ([input]) => clip(input!, 0.6));
  const inside = Array.from(x.values, (v) => Math.abs(v) <= Math.fround(0.6));
  assertAllClose(clipped.y, Array.from(x.values, (v) => Math.max(-0.6, Math.min(0.6, v))));
  assertAllClose(clipped.grads[0]!, clipped.dy.map((g, i) => inside[i] ? g : 0), { atol: 0 });
  const wide = { shape: [41], values: Float32Array.from({ length: 41 }, (_, i) => 2 * i - 40) };
  const raised = await differentiate(gpu, [wide], ([input]) => exp(input!));
  const expected = Array.from(wide.values, Math.exp);
  assertAllClose(raised.y, expected, { rtol: 3e-7, atol: 0 });
  assertAllClose(raised.grads[0]!, expected.map((v, i) => v * raised.dy[i]!), {
    rtol: 4e-7,
    atol: 0,
  });
});

Deno.test("cosineFeatures() are cosines of the exact angles, large ones too", async () => {
  const gpu = await testGpu();
  const numbers = Float32Array.of(-3.5, 0, 0.3, 40);
  const frequencies = randomValues(9, 2, 8), phases = randomValues(9, 3, 3);
  const { result } = await compute(gpu, (capture) => ({
    result: cosineFeatures(
      capture,
      upload(gpu, [4], numbers),
      upload(gpu, [9], frequencies),
      upload(gpu, [9], phases),
    ),
  }));
  const expected = Array.from(numbers).flatMap((x) =>
    Array.from(frequencies, (w, i) => Math.SQRT2 * Math.cos(x * w + phases[i]!))
  );
  assertAllClose(result as Float32Array, expected, { rtol: 0, atol: 3e-7 });
});

Deno.test("weightNorm() rounds each weight once", async () => {
  const gpu = await testGpu();
  const shape = [3, 3, 16, 64], columns = 64, rows = 144, eps = 1e-4, factor = 1 / 12;
  const w = randomValues(rows * columns, 8, 0.3);
  const { y } = await compute(gpu, (capture) => ({
    y: weightNormForward(capture, upload(gpu, shape, w), { factor, eps }),
  }));
  const scales = Array.from({ length: columns }, (_, column) => {
    let squares = 0;
    for (let i = column; i < w.length; i += columns) squares += w[i]! ** 2;
    return factor / (eps + Math.sqrt(squares / rows));
  });
  const others = w.filter((v, i) => y[i] !== Math.fround(v * scales[i % columns]!)).length;
  // Squares are rounded before they are added, so what lies half-way between two floats may go either way.
  assert(others <= w.length / 25, `${others} of ${w.length} weights are not the nearest float`);
});
