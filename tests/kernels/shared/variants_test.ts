import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { HostArray, TensorRef } from "../../../device/tensor.ts";
import { conv2dForward, conv2dInputGrad, conv2dShape } from "../../../kernels/conv2d/conv2d.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import {
  chooseVariant,
  setVariantPolicy,
  type Variant,
  type VariantFamily,
} from "../../../kernels/shared/variants.ts";
import { conv2dGradReference, conv2dReference } from "../../reference/conv2d.ts";
import { matmulReference } from "../../reference/matmul.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, restorePolicy, testGpu, upload } from "../../support/gpu.ts";
import { weightGrads } from "../../support/weight_grads.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";

type Results = Record<string, HostArray>;

/** Whether all variants of an op are tried, or, as compiling takes long, the first of each family. */
type Extent = "all" | "families";

/**
 * Runs `body` once with each variant of each op that it records and hands the results to `check`.
 *
 * @returns Names of the variants that ran, by key.
 */
async function eachVariant(
  gpu: Gpu,
  extent: Extent,
  body: (capture: Capture) => Record<string, TensorRef>,
  check: (results: Results, names: string) => void,
): Promise<Map<string, string[]>> {
  const known = new Map<string, string[]>();
  const observe = (key: string, variants: readonly Variant[]) => {
    const tried = variants.filter(({ family }, i) =>
      extent === "all" || variants.findIndex((other) => other.family === family) === i
    );
    known.set(key, tried.map(({ name }) => name));
  };
  try {
    setVariantPolicy(gpu, { observe });
    body(new Capture(gpu, "listing"));
    const rounds = Math.max(...[...known.values()].map((names) => names.length));
    for (let round = 0; round < rounds; round++) {
      const table = new Map([...known].map(([key, names]) => [key, names[round % names.length]!]));
      const ran: string[] = [];
      setVariantPolicy(gpu, { table, observe: (_key, _variants, { name }) => ran.push(name) });
      const results = await compute(gpu, body);
      assertEquals(ran, [...table.values()]);
      check(results, ran.join(", "));
    }
  } finally {
    restorePolicy(gpu);
  }
  return known;
}

/** Each exercises other code: transposes, odd sizes, more than a tile, more than a slice. */
const PRODUCTS = [
  { m: 1, n: 1, k: 1, aT: false, bT: false, extent: "families" },
  { m: 17, n: 35, k: 21, aT: false, bT: true, extent: "families" },
  { m: 129, n: 140, k: 36, aT: false, bT: false, extent: "families" },
  { m: 132, n: 132, k: 20, aT: true, bT: true, extent: "all" },
  { m: 67, n: 130, k: 19, aT: true, bT: false, extent: "families" },
] as const;

for (const { m, n, k, aT, bT, extent } of PRODUCTS) {
  const text = `${m}x${k}${aT ? "ᵀ" : ""} by ${k}x${n}${bT ? "ᵀ" : ""}`;
  Deno.test(`matmul() matches the f64 product by every variant for ${text}`, async () => {
    const gpu = await testGpu();
    const a = randomValues(m * k, 1), b = randomValues(k * n, 2), bias = randomValues(n, 3);
    const expected = matmulReference(
      m,
      n,
      k,
      (i, l) => aT ? a[l * m + i]! : a[i * k + l]!,
      (l, j) => bT ? b[j * k + l]! : b[l * n + j]!,
    ).map((v, i) => 0.5 * v + bias[i % n]!);
    const refs = {
      a: { tensor: upload(gpu, [m * k], a), row: aT ? m : k, transposed: aT },
      b: { tensor: upload(gpu, [k * n], b), row: bT ? k : n, transposed: bT },
      bias: upload(gpu, [n], bias),
    };
    const known = await eachVariant(
      gpu,
      extent,
      (capture) => ({ y: matmul(capture, { ...refs, m, n, k, alpha: 0.5 }) }),
      ({ y }, name) => assertAllClose(y!, expected, { rtol: 1e-5, atol: 1e-5, name }),
    );
    const tiles = [...known.values()].flat().filter((name) => name.startsWith("tiled"));
    assertEquals(tiles.length, extent === "all" ? 6 : 1);
  });
}

Deno.test("matmul() splits a long sum with a small result into parts, for either transpose", async () => {
  const gpu = await testGpu();
  const [m, n, k] = [12, 20, 2048];
  for (const [aT, bT] of [[true, false], [false, true]] as const) {
    const a = randomValues(m * k, 1), b = randomValues(k * n, 2);
    const expected = matmulReference(
      m,
      n,
      k,
      (i, l) => aT ? a[l * m + i]! : a[i * k + l]!,
      (l, j) => bT ? b[j * k + l]! : b[l * n + j]!,
    );
    const args = {
      a: { tensor: upload(gpu, [m * k], a), row: aT ? m : k, transposed: aT },
      b: { tensor: upload(gpu, [k * n], b), row: bT ? k : n, transposed: bT },
      m,
      n,
      k,
    };
    const known = await eachVariant(
      gpu,
      "families",
      (capture) => ({ y: matmul(capture, args) }),
      ({ y }, name) => assertAllClose(y!, expected, { rtol: 1e-5, atol: 2e-4, name }),
    );
    assert([...known.values()].flat().some((name) => name.endsWith(".split4")));
  }
});

Deno.test("matmul() walks batches and heads by strides in every variant", async () => {
  const gpu = await testGpu();
  const [batches, heads, length, depth] = [2, 3, 21, 5];
  const width = heads * depth;
  const q = randomValues(batches * length * width, 4), k = randomValues(q.length, 5);
  const at = (data: Float32Array, o: number, h: number, i: number, l: number) =>
    data[(o * length + i) * width + h * depth + l]!;
  const expected: number[] = [];
  for (let o = 0; o < batches; o++) {
    for (let h = 0; h < heads; h++) {
      const [a, b] = [q, k].map((data) => (i: number, l: number) => at(data, o, h, i, l));
      expected.push(...matmulReference(length, length, depth, a!, (l, j) => b!(j, l)));
    }
  }
  const operand = (data: Float32Array<ArrayBuffer>) => ({
    tensor: upload(gpu, [batches, length, width], data),
    row: width,
    outer: length * width,
    inner: depth,
  });
  const [a, b] = [operand(q), { ...operand(k), transposed: true }];
  const sizes = { m: length, n: length, k: depth, outer: batches, inner: heads };
  await eachVariant(
    gpu,
    "families",
    (capture) => ({ y: matmul(capture, { a, b, ...sizes }) }),
    ({ y }, name) => assertAllClose(y!, expected, { rtol: 1e-5, atol: 1e-5, name }),
  );
});

/** Each exercises other code: odd and even channels, strides, wide kernels, more than a tile or part. */
const CONVOLUTIONS = [
  { x: [2, 9, 11, 12], weight: [3, 3, 12, 20], padding: [1, 1], stride: 1, extent: "all" },
  { x: [3, 13, 8, 3], weight: [3, 3, 3, 10], padding: [1, 1], stride: 1, extent: "families" },
  { x: [2, 11, 10, 6], weight: [4, 4, 6, 68], padding: [2, 1], stride: 2, extent: "families" },
  { x: [1, 9, 12, 68], weight: [1, 3, 68, 4], padding: [0, 1], stride: 2, extent: "families" },
  { x: [5, 16, 16, 8], weight: [3, 3, 8, 5], padding: [1, 1], stride: 1, extent: "families" },
  { x: [1, 1, 1, 1], weight: [3, 3, 1, 1], padding: [1, 1], stride: 1, extent: "families" },
] as const;

for (const { x: xShape, weight: wShape, padding, stride, extent } of CONVOLUTIONS) {
  const name = `x [${xShape}], weight [${wShape}], stride ${stride}`;
  Deno.test(`conv2d() and its gradients match the f64 sums by every variant for ${name}`, async () => {
    const gpu = await testGpu();
    const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b);
    const x = randomValues(size(xShape), 1), w = randomValues(size(wShape), 2);
    const weight = upload(gpu, wShape, w), xRef = upload(gpu, xShape, x);
    const shape = conv2dShape(xShape, weight, { padding, stride });
    const { n, oh, ow, co } = shape;
    const dy = randomValues(n * oh * ow * co, 3), plus = randomValues(x.length, 4);
    const bias = randomValues(co, 5), perImage = randomValues(n * co, 6);
    const residual = randomValues(dy.length, 7);
    const dyRef = upload(gpu, [n, oh, ow, co], dy), plusRef = upload(gpu, xShape, plus);
    const epilogue = {
      bias: upload(gpu, [co], bias),
      perImage: upload(gpu, [n, co], perImage),
      residual: upload(gpu, [n, oh, ow, co], residual),
    };
    const y = conv2dReference(shape, x, w).map((v, i) =>
      v + bias[i % co]! + perImage[Math.floor(i / (oh * ow * co)) * co + i % co]! + residual[i]!
    );
    const grads = conv2dGradReference(shape, x, w, dy);
    const dx = grads.dx.map((v, i) => v + plus[i]!);
    const known = await eachVariant(
      gpu,
      extent,
      (capture) => ({
        y: conv2dForward(capture, xRef, weight, shape, epilogue),
        dx: conv2dInputGrad(capture, weight, dyRef, shape, plusRef),
        ...weightGrads(capture, xRef, dyRef, shape),
      }),
      (results, names) => {
        const budget = { atol: 2e-5, rtol: 1e-5 };
        assertAllClose(results.y!, y, { ...budget, name: `y by ${names}` });
        assertAllClose(results.dx!, dx, { ...budget, name: `dx by ${names}` });
        // Each weight sums over all pixels, and round-off grows with the root of their number.
        const atol = 5e-6 * Math.sqrt(n * oh * ow);
        assertAllClose(results.dw!, grads.dw, { atol, rtol: 1e-5, name: `dw by ${names}` });
        const { db } = results;
        if (db) assertAllClose(db, grads.db, { atol, rtol: 1e-5, name: `db by ${names}` });
      },
    );
    assertEquals(known.size, 3);
    for (const names of known.values()) {
      const tiles = names.filter((name) => name.startsWith("tiled"));
      assertEquals(tiles.length, extent === "all" ? 6 : 1);
    }
  });
}

/** Variants that record nothing. */
const NAMED: readonly Variant[] = (["subgroup", "tiled", "plain"] as const).map(named);

function named(family: VariantFamily): Variant {
  const record = () => {
    throw new Error("never recorded");
  };
  return { family, name: `${family}1`, record };
}

Deno.test("chooseVariant() takes subgroups on CPU drivers and tiles on cards unless told otherwise", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const choose = (lanes: number, variants = NAMED) =>
    chooseVariant(withSubgroupSize(capture, lanes), "op 1", variants).name;
  try {
    setVariantPolicy(gpu, {});
    assertEquals([8, 4, 32, 0].map((lanes) => choose(lanes)), [
      "subgroup1",
      "subgroup1",
      "tiled1",
      "tiled1",
    ]);
    // As wide as a CPU's widest vectors, and as some cards' subgroups.
    assertEquals(choose(16), gpu.info.isFallbackAdapter ? "subgroup1" : "tiled1");
    const plain = NAMED.slice(2);
    assertEquals([8, 32].map((lanes) => choose(lanes, plain)), ["plain1", "plain1"]);
    setVariantPolicy(gpu, { table: new Map([["op 1", "tiled1"], ["op 2", "plain1"]]) });
    assertEquals(choose(8), "tiled1");
    setVariantPolicy(gpu, { table: new Map([["op 1", "gone"]]) });
    assertEquals(choose(8), "subgroup1");
    const textured = [...NAMED, named("texture")];
    assertEquals([8, 32].map((lanes) => choose(lanes, textured)), ["texture1", "tiled1"]);
    setVariantPolicy(gpu, { forced: "texture" });
    assertEquals([choose(8, textured), choose(8), choose(8, plain)], [
      "texture1",
      "subgroup1",
      "plain1",
    ]);
    setVariantPolicy(gpu, { forced: "tiled", table: new Map([["op 1", "subgroup1"]]) });
    assertEquals(choose(8), "tiled1");
    assertEquals(choose(8, plain), "plain1");
    setVariantPolicy(gpu, {});
    assertEquals(choose(8), "subgroup1");
  } finally {
    restorePolicy(gpu);
  }
});

Deno.test("chooseVariant() refuses an op without a plain variant", async () => {
  const capture = new Capture(await testGpu(), "test");
  assertThrows(() => chooseVariant(capture, "op", NAMED.slice(0, 2)), TypeError, "must be plain");
});
