import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { sizeOf, type TensorRef } from "../../../device/tensor.ts";
import { attentionBackward, attentionForward } from "../../../kernels/attention/attention.ts";
import {
  backwardSlices,
  forwardSlices,
  sliceAttention,
} from "../../../kernels/attention/slices.ts";
import {
  backwardStreamed,
  canStream,
  forwardStreamed,
} from "../../../kernels/attention/streamed.ts";
import type { AttentionSizes } from "../../../kernels/attention/args.ts";
import { tuneVariants } from "../../../kernels/shared/measure_variants.ts";
import { setVariantPolicy, type Variant } from "../../../kernels/shared/variants.ts";
import { attentionReference } from "../../reference/attention.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, restorePolicy, testGpu, upload } from "../../support/gpu.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";

const EVERY = { q: true, k: true, v: true };

const CASES = [
  { batch: 1, queries: 1, keys: 1, heads: 1, depth: 1 },
  { batch: 2, queries: 9, keys: 9, heads: 3, depth: 8 },
  { batch: 1, queries: 5, keys: 11, heads: 2, depth: 6 },
  { batch: 2, queries: 7, keys: 5, heads: 1, depth: 13 },
  { batch: 2, queries: 16, keys: 16, heads: 1, depth: 32 },
  { batch: 1, queries: 24, keys: 36, heads: 4, depth: 16 },
  { batch: 2, queries: 1, keys: 37, heads: 1, depth: 12 },
  { batch: 1, queries: 67, keys: 1, heads: 2, depth: 5 },
  { batch: 3, queries: 67, keys: 131, heads: 1, depth: 36 },
  { batch: 1, queries: 33, keys: 65, heads: 1, depth: 68 },
  { batch: 1, queries: 35, keys: 40, heads: 1, depth: 260 },
  { batch: 2, queries: 67, keys: 131, heads: 2, depth: 144 },
  { batch: 1, queries: 150, keys: 70, heads: 1, depth: 133 },
] as const;

interface Operands extends Record<"q" | "k" | "v" | "dy", TensorRef> {
  readonly heads: number;
  readonly scale: number;
}

type Results = Record<"y" | "dq" | "dk" | "dv", TensorRef>;

/** The ways of computing attention and its gradients, each by its own functions. */
const WAYS: Record<string, (capture: Capture, given: Operands, sizes: AttentionSizes) => Results> =
  {
    chosen(capture, { heads, scale, dy, ...inputs }) {
      const options = { heads, scale };
      const { y, saved } = attentionForward(capture, inputs, options);
      return { y, ...all(attentionBackward(capture, inputs, saved, dy, options, EVERY)) };
    },
    sliced(capture, { heads, scale, dy, ...inputs }, sizes) {
      const options = { heads, scale };
      // A single byte gives as many slices as the alignment of ranges allows.
      const slices = sliceAttention(sizes, 1);
      const { y } = forwardSlices(capture, inputs, options, slices);
      return { y, ...all(backwardSlices(capture, inputs, dy, options, EVERY, slices)) };
    },
    streamed(capture, { heads, scale, dy, ...inputs }) {
      const options = { heads, scale };
      const kept = forwardStreamed(capture, inputs, options);
      return { y: kept.y, ...all(backwardStreamed(capture, inputs, kept, dy, options, EVERY)) };
    },
  };

function all({ dq, dk, dv }: Record<"dq" | "dk" | "dv", TensorRef | null>) {
  return { dq: dq!, dk: dk!, dv: dv! };
}

for (const given of CASES) {
  const { batch, queries, keys, heads, depth } = given;
  const sizes = { ...given, valueDepth: depth };
  Deno.test(`attention() and its gradients match f64 every way for ${batch} x ${heads} heads, ${queries} queries, ${keys} keys, depth ${depth}`, async () => {
    const gpu = await testGpu();
    const width = heads * depth, scale = 1 / Math.sqrt(depth);
    const q = randomValues(batch * queries * width, 1), dy = randomValues(q.length, 4);
    const k = randomValues(batch * keys * width, 2), v = randomValues(k.length, 3);
    const operands = {
      q: upload(gpu, [batch, queries, width], q),
      k: upload(gpu, [batch, keys, width], k),
      v: upload(gpu, [batch, keys, width], v),
      dy: upload(gpu, [batch, queries, width], dy),
      heads,
      scale,
    };
    const expected = attentionReference({ ...given, q, k, v, dy, scale });
    for (const [way, run] of Object.entries(WAYS)) {
      const actual = await compute(gpu, (capture) => ({ ...run(capture, operands, sizes) }));
      for (const name of ["y", "dq", "dk", "dv"] as const) {
        const budget = { rtol: 1e-5, atol: 3e-6, name: `${name} ${way}` };
        assertAllClose(actual[name], expected[name], budget);
      }
      const again = await compute(gpu, (capture) => ({ ...run(capture, operands, sizes) }));
      assertEquals(again, actual);
    }
  });
}

Deno.test("attention() holds large scores of either sign every way", async () => {
  const gpu = await testGpu();
  const [queries, keys, depth] = [5, 70, 4];
  const q = randomValues(queries * depth, 1, 30), k = randomValues(keys * depth, 2, 30);
  // The largest score comes last, so that all before it must shrink.
  for (let c = 0; c < depth; c++) k[(keys - 1) * depth + c] = 2 * q[c]!;
  const v = randomValues(k.length, 3), dy = randomValues(q.length, 4);
  const sizes = { batch: 1, queries, keys, heads: 1, depth };
  const operands = {
    q: upload(gpu, [1, queries, depth], q),
    k: upload(gpu, [1, keys, depth], k),
    v: upload(gpu, [1, keys, depth], v),
    dy: upload(gpu, [1, queries, depth], dy),
    heads: 1,
    scale: 1,
  };
  const expected = attentionReference({ ...sizes, q, k, v, dy, scale: 1 });
  for (const [way, run] of Object.entries(WAYS)) {
    const actual = await compute(
      gpu,
      (capture) => ({ ...run(capture, operands, { ...sizes, valueDepth: depth }) }),
    );
    for (const name of ["y", "dq", "dk", "dv"] as const) {
      // Scores of thousands have errors of 1e-4 in f32.
      assertAllClose(actual[name], expected[name], {
        rtol: 1e-3,
        atol: 5e-3,
        name: `${name} ${way}`,
      });
    }
  }
});

Deno.test("attention() takes values of another depth than the keys, every way", async () => {
  const gpu = await testGpu();
  // Equal keys give equal probabilities, so every output is the mean of the values.
  const operands = {
    q: upload(gpu, [1, 2, 4], randomValues(8)),
    k: upload(gpu, [1, 3, 4], Array(12).fill(1)),
    v: upload(gpu, [1, 3, 2], [1, 10, 2, 20, 6, 60]),
    dy: upload(gpu, [1, 2, 2], [3, 6, 3, 6]),
    heads: 2,
    scale: 1,
  };
  const sizes = { batch: 1, heads: 2, queries: 2, keys: 3, depth: 2, valueDepth: 1 };
  for (const [way, run] of Object.entries(WAYS)) {
    const { y, dv } = await compute(gpu, (capture) => ({ ...run(capture, operands, sizes) }));
    assertAllClose(y, [3, 30, 3, 30], { name: way });
    assertAllClose(dv, [2, 4, 2, 4, 2, 4], { name: way });
  }
});

Deno.test("attentionBackward() makes only the gradients that are wanted, every way", async () => {
  const gpu = await testGpu();
  const q = upload(gpu, [1, 70, 8], randomValues(560));
  const inputs = { q, k: q, v: q }, options = { heads: 2, scale: 1 };
  try {
    for (const [way, counts] of [["whole", [3, 3, 1]], ["streamed", [2, 2, 1]]] as const) {
      setVariantPolicy(gpu, { table: new Map([["attention 1x2 70x70x4 gradients", way]]) });
      const whole = await gradients(gpu, inputs, options, EVERY);
      for (const [i, only] of (["q", "k", "v"] as const).entries()) {
        const needs = { q: false, k: false, v: false, [only]: true };
        const { values, dispatches } = await gradients(gpu, inputs, options, needs);
        assertEquals(Object.keys(values), [`d${only}`]);
        assertEquals(values[`d${only}`], whole.values[`d${only}`]);
        assertEquals(dispatches, counts[i], `${way} d${only}`);
      }
    }
  } finally {
    restorePolicy(gpu);
  }
});

async function gradients(
  gpu: Gpu,
  inputs: { q: TensorRef; k: TensorRef; v: TensorRef },
  options: { heads: number; scale: number },
  needs: { q: boolean; k: boolean; v: boolean },
) {
  let dispatches = 0;
  const values = await compute<string>(gpu, (capture) => {
    const { y, saved } = attentionForward(capture, inputs, options);
    const before = capture.dispatches.length;
    const dy = upload(gpu, y.shape, randomValues(sizeOf(y.shape), 4));
    const found = Object.entries(attentionBackward(capture, inputs, saved, dy, options, needs));
    dispatches = capture.dispatches.length - before;
    return Object.fromEntries(found.filter(([, tensor]) => tensor !== null));
  });
  return { values, dispatches };
}

/** Names of the ways that are offered, the one that is taken first. */
function waysFor(capture: Capture, [batch, length, width]: readonly [number, number, number]) {
  const names: string[] = [];
  setVariantPolicy(capture.gpu, {
    observe: (key, variants, chosen) => {
      if (key.startsWith("attention")) {
        names.push(chosen.name, ...variants.filter((v) => v !== chosen).map(({ name }) => name));
      }
    },
  });
  try {
    const q = capture.transient([batch, length, width], "q");
    attentionForward(capture, { q, k: q, v: q }, { heads: 1, scale: 1 });
    return names;
  } finally {
    setVariantPolicy(capture.gpu, {});
  }
}

Deno.test("attentionForward() never makes large probabilities whole, and leaves small ones to measurement", async () => {
  const gpu = await testGpu();
  const narrow = new Capture(gpu, "test");
  const card = withSubgroupSize(narrow, 32);
  assertEquals(waysFor(narrow, [2, 16, 8]), ["whole", "streamed"]);
  assertEquals(waysFor(card, [2, 16, 8]), ["whole", "streamed"]);
  assertEquals(waysFor(card, [16, 1024, 8]), ["whole", "sliced", "streamed"]);
  assertEquals(waysFor(narrow, [17, 1024, 8]), ["sliced", "streamed"]);
  assertEquals(waysFor(card, [17, 1024, 8]), ["streamed", "sliced"]);
  assertEquals(waysFor(card, [1, 4200, 2052]), ["sliced"]);
  assertEquals(
    canStream({ batch: 1, heads: 1, queries: 8, keys: 8, depth: 512, valueDepth: 513 }),
    false,
  );
});

Deno.test("attentionForward() needs little memory where probabilities are large", async () => {
  const gpu = await testGpu();
  const shape = [1, 4608, 4] as const;
  const limit = 4 * 4608 ** 2;
  for (const lanes of [8, 32]) {
    const capture = new Capture(gpu, "large");
    const q = upload(gpu, shape, randomValues(sizeOf(shape)));
    const inputs = { q, k: q, v: q }, options = { heads: 1, scale: 1 };
    const wide = withSubgroupSize(capture, lanes);
    const { y, saved } = attentionForward(wide, inputs, options);
    attentionBackward(wide, inputs, saved, y, options, EVERY);
    const program = await capture.plan();
    assert(program.memory.peakBytes < 0.6 * limit, `${program.memory.peakBytes} of ${limit}`);
    program.destroy();
    gpu.destroyTensor(q);
  }
});

Deno.test("tuneVariants() measures the ways of attention that may be fastest on such an adapter", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "never planned");
  for (const [lanes, expected] of [[8, []], [32, ["whole", "streamed"]]] as const) {
    const ops = new Map<string, readonly Variant[]>();
    const measured: string[] = [];
    const watch = (variant: Variant): Variant => ({
      ...variant,
      record(capture: Capture) {
        measured.push(variant.name);
        return variant.record(capture);
      },
    });
    setVariantPolicy(gpu, { observe: (key, variants) => void ops.set(key, variants.map(watch)) });
    // Large enough for a CPU driver, which stops at what takes it no time.
    const q = capture.transient([8, 128, 32], "q"), options = { heads: 1, scale: 1 };
    attentionForward(withSubgroupSize(capture, lanes), { q, k: q, v: q }, options);
    restorePolicy(gpu);
    const key = "attention 8x1 128x128x32 gradients";
    const only = new Map([[key, ops.get(key)!]]);
    const table = await tuneVariants(gpu, only, { budgetMs: 60_000 });
    assertEquals(measured, [...expected]);
    assert(["whole", ...expected].includes(table.get(key)!));
  }
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
