import { Capture } from "../../device/capture.ts";
import { attentionBackward, attentionForward } from "../../kernels/attention.ts";
import { attentionReference } from "../reference/attention.ts";
import { assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../support/gpu.ts";

const EVERY = { q: true, k: true, v: true };

const CASES = [
  { batch: 1, queries: 1, keys: 1, heads: 1, depth: 1 },
  { batch: 2, queries: 9, keys: 9, heads: 3, depth: 8 },
  { batch: 1, queries: 5, keys: 11, heads: 2, depth: 6 },
  { batch: 2, queries: 7, keys: 5, heads: 1, depth: 13 },
  { batch: 2, queries: 16, keys: 16, heads: 1, depth: 32 },
  { batch: 1, queries: 24, keys: 36, heads: 4, depth: 16 },
] as const;

for (const given of CASES) {
  const { batch, queries, keys, heads, depth } = given;
  Deno.test(`attention() and its gradients match f64 for ${batch} x ${heads} heads, ${queries} queries, ${keys} keys, depth ${depth}`, async () => {
    const gpu = await testGpu();
    const width = heads * depth, scale = 1 / Math.sqrt(depth);
    const q = randomValues(batch * queries * width, 1), dy = randomValues(q.length, 4);
    const k = randomValues(batch * keys * width, 2), v = randomValues(k.length, 3);
    const actual = await compute(gpu, (capture) => {
      const inputs = {
        q: upload(gpu, [batch, queries, width], q),
        k: upload(gpu, [batch, keys, width], k),
        v: upload(gpu, [batch, keys, width], v),
      };
      const { y, probabilities } = attentionForward(capture, inputs, { heads, scale });
      const { dq, dk, dv } = attentionBackward(
        capture,
        inputs,
        probabilities,
        upload(gpu, y.shape, dy),
        { heads, scale },
        EVERY,
      );
      return { y, dq: dq!, dk: dk!, dv: dv! };
    });
    const expected = attentionReference({ ...given, q, k, v, dy, scale });
    for (const name of ["y", "dq", "dk", "dv"] as const) {
      assertAllClose(actual[name], expected[name], { rtol: 1e-5, atol: 3e-6, name });
    }
  });
}

Deno.test("attention() takes values of another depth than the keys", async () => {
  const gpu = await testGpu();
  // Equal keys give equal probabilities, so every output is the mean of the values.
  const { y } = await compute(gpu, (capture) => ({
    y: attentionForward(capture, {
      q: upload(gpu, [1, 2, 4], randomValues(8)),
      k: upload(gpu, [1, 3, 4], Array(12).fill(1)),
      v: upload(gpu, [1, 3, 2], [1, 10, 2, 20, 6, 60]),
    }, { heads: 2, scale: 1 }).y,
  }));
  assertAllClose(y, [3, 30, 3, 30]);
});

Deno.test("attentionBackward() makes only the gradients that are wanted", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const q = gpu.tensor([1, 4, 8]);
  const options = { heads: 2, scale: 1 };
  const { y, probabilities } = attentionForward(capture, { q, k: q, v: q }, options);
  const before = capture.dispatches.length;
  const needs = { q: false, k: false, v: true };
  const grads = attentionBackward(capture, { q, k: q, v: q }, probabilities, y, options, needs);
  assertEquals([grads.dq, grads.dk], [null, null]);
  assertEquals(grads.dv?.shape, [1, 4, 8]);
  assertEquals(capture.dispatches.length - before, 1);
});

Deno.test("attention() refuses shapes and heads that do not fit", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const q = gpu.tensor([2, 4, 6]), k = gpu.tensor([1, 4, 6]);
  const options = { heads: 4, scale: 1 };
  assertThrows(
    () => attentionForward(capture, { q, k, v: k }, options),
    RangeError,
    "must have shapes [B, L, D], [B, S, D] and [B, S, E]",
  );
  assertThrows(
    () => attentionForward(capture, { q, k: q, v: q }, options),
    RangeError,
    "heads must divide the last axes",
  );
});
