import { add } from "../../../autograd/ops/add.ts";
import { gatedSum, modulatedNorm } from "../../../autograd/ops/modulate.ts";
import { Graph } from "../../../autograd/graph.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";
import { Capture } from "../../../device/capture.ts";
import { modulatedNormForward } from "../../../kernels/norm/modulate.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { gatedSumReference, modulatedNormReference } from "../../reference/modulate.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

/** Widths that vectors of four do not divide, and that they do; one token; many rows. */
const CASES = [
  { images: 2, tokens: 3, channels: 5, columns: 15 },
  { images: 3, tokens: 1, channels: 8, columns: 24 },
  { images: 2, tokens: 17, channels: 12, columns: 48 },
] as const;
const EPS = 1e-6;

for (const sizes of CASES) {
  const { images, tokens, channels, columns } = sizes;
  const shape = [images, tokens, channels];
  const last = columns - channels;

  Deno.test(`modulatedNorm() of [${shape}] and its gradients match the f64 formula`, async () => {
    const x = operand(shape, 1), m = operand([images, columns], 2);
    const windows = { shift: channels, scale: last };
    const { y, dy, grads } = await differentiate(
      await testGpu(),
      [x, m],
      ([x, m]) => modulatedNorm(x!, m!, { ...windows, eps: EPS }),
    );
    const f = ([x, m]: ArrayLike<number>[]) =>
      modulatedNormReference(x!, m!, sizes, { ...windows, eps: EPS });
    const inputs = [x.values, m.values];
    assertAllClose(y, f(inputs), { rtol: 1e-5, atol: 1e-5 });
    for (const [i, name] of ["dx", "dm"].entries()) {
      const expected = finiteDifference(f, inputs, i, dy);
      assertAllClose(grads[i]!, expected, { rtol: 1e-4, atol: 1e-4, name });
    }
  });

  Deno.test(`gatedSum() of [${shape}] and its gradients match the f64 formula`, async () => {
    const x = operand(shape, 1), h = operand(shape, 2), m = operand([images, columns], 3);
    const { y, dy, grads } = await differentiate(
      await testGpu(),
      [x, h, m],
      ([x, h, m]) => gatedSum(x!, h!, m!, last),
    );
    const f = ([x, h, m]: ArrayLike<number>[]) => gatedSumReference(x!, h!, m!, sizes, last);
    const inputs = [x.values, h.values, m.values];
    assertAllClose(y, f(inputs), { rtol: 1e-6, atol: 1e-6 });
    for (const [i, name] of ["dx", "dh", "dm"].entries()) {
      const expected = finiteDifference(f, inputs, i, dy);
      assertAllClose(grads[i]!, expected, { rtol: 1e-5, atol: 1e-5, name });
    }
  });
}

Deno.test("modulatedNorm() and gatedSum() add up what they give one matrix", async () => {
  const sizes = { images: 2, tokens: 4, channels: 4, columns: 12 };
  const x = operand([2, 4, 4], 1), m = operand([2, 12], 2);
  const windows = { shift: 0, scale: 4 };
  const { dy, grads } = await differentiate(await testGpu(), [x, m], ([x, m]) => {
    const once = gatedSum(x!, modulatedNorm(x!, m!, { ...windows, eps: EPS }), m!, 8);
    return add(once, modulatedNorm(once, m!, { shift: 8, scale: 0, eps: EPS }));
  });
  const f = ([x, m]: ArrayLike<number>[]) => {
    const normal = modulatedNormReference(x!, m!, sizes, { ...windows, eps: EPS });
    const once = gatedSumReference(x!, normal, m!, sizes, 8);
    const twice = modulatedNormReference(once, m!, sizes, { shift: 8, scale: 0, eps: EPS });
    return once.map((value, i) => value + twice[i]!);
  };
  for (const i of [0, 1]) {
    const expected = finiteDifference(f, [x.values, m.values], i, dy);
    assertAllClose(grads[i]!, expected, { rtol: 1e-4, atol: 1e-4, name: `input ${i}` });
  }
});

Deno.test("modulatedNormForward() gives rows to teams on a graphics card", async () => {
  const sizes = { images: 2, tokens: 9, channels: 20, columns: 40 };
  const x = randomValues(2 * 9 * 20, 1).map((v) => v + 100), m = randomValues(80, 2);
  const gpu = await testGpu();
  const windows = { shift: 20, scale: 0 };
  const { y } = await compute(gpu, (outer) => {
    const capture = withSubgroupSize(outer, 32);
    const refs = [upload(gpu, [2, 9, 20], x), upload(gpu, [2, 40], m)] as const;
    return { y: modulatedNormForward(capture, ...refs, windows, EPS).y };
  });
  const expected = modulatedNormReference(x, m, sizes, { ...windows, eps: EPS });
  // An offset of 100 costs 2^-17 of input round-off.
  assertAllClose(y, expected, { rtol: 1e-5, atol: 1e-4 });
});

Deno.test("modulatedNorm() and gatedSum() refuse columns that are no window of the matrix", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "test"));
  const tensor = (...shape: number[]) => graph.constant(gpu.tensor(shape));
  const x = tensor(2, 3, 4), m = tensor(2, 12);
  for (const windows of [{ shift: 0, scale: 12 }, { shift: 2, scale: 4 }]) {
    assertThrows(
      () => modulatedNorm(x, m, { ...windows, eps: EPS }),
      RangeError,
      "columns whole windows of C in [N, M]",
    );
  }
  assertThrows(() => gatedSum(x, tensor(2, 3, 8), m, 0), RangeError, "must have one shape");
  assertThrows(() => gatedSum(x, x, tensor(3, 12), 0), RangeError, "Cannot compute a gated sum");
});
