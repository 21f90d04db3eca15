/**
 * The family of matrix units. No CPU driver has any, so what its kernels compute is tried with the
 * operations of the units written out, and that Dawn's compiler takes them with Dawn's null backend.
 */
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { openGpu } from "../../../device/open_gpu.ts";
import { type Kernel, shaderCode } from "../../../device/kernel.ts";
import { MATRIX_ENABLE, MATRIX_FEATURE, type MatrixShape } from "../../../device/matrix_units.ts";
import { type GpuConstants, STANDARD_ENABLES } from "../../../device/provider.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { conv2dForward, conv2dInputGrad, conv2dShape } from "../../../kernels/conv2d/conv2d.ts";
import { matmul, type MatmulArgs } from "../../../kernels/matmul/matmul.ts";
import { setVariantPolicy, type Variant } from "../../../kernels/shared/variants.ts";
import { dawnFolder, loadDawn } from "../../../support/dawn.ts";
import { conv2dGradReference, conv2dReference } from "../../reference/conv2d.ts";
import { matmulReference } from "../../reference/matmul.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, restorePolicy, testGpu, upload } from "../../support/gpu.ts";
import { recordOnUnits, withMatrixUnits } from "../../support/matrix_units.ts";
import { weightGrads } from "../../support/weight_grads.ts";

/** Shapes that vendors have. */
const SHAPES = {
  nvidia: { component: "f16", m: 16, n: 16, k: 16 },
  intel: { component: "f16", m: 8, n: 16, k: 16 },
  apple: { component: "f16", m: 8, n: 8, k: 8 },
} as const satisfies Record<string, MatrixShape>;

/** Picks the variants of one tile for all ops that `body` records, and returns their names. */
function pickTile(gpu: Gpu, tile: string, body: (capture: Capture) => unknown): string[] {
  const table = new Map<string, string>();
  const observe = (key: string, variants: readonly Variant[]) => {
    table.set(key, variants.find(({ name }) => name.startsWith(`matrix${tile}`))!.name);
  };
  setVariantPolicy(gpu, { observe });
  body(new Capture(gpu, "listing"));
  setVariantPolicy(gpu, { table });
  return [...table.values()];
}

/** Values that f16 holds. */
function halves(count: number, seed: number): Float64Array {
  return Float64Array.from(Float16Array.from(randomValues(count, seed)));
}

function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  atol: number,
  name: string,
) {
  assertEquals(actual.length, expected.length);
  const rtol = actual instanceof Float16Array ? 2 ** -11 * 1.01 : 1e-5;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    const fits = error <= rtol * Math.abs(expected[i]!) + atol;
    assert(fits, `${name} ${i}: ${actual[i]} against ${expected[i]}`);
  }
}

/** Each exercises other code: transposes, sizes that fit nothing, a batch, more subgroups than compute. */
const PRODUCTS = [
  {
    m: 70,
    n: 37,
    k: 50,
    batches: 1,
    aT: false,
    bT: true,
    shape: "nvidia",
    lanes: [32, 32],
    tile: "64x64",
  },
  {
    m: 36,
    n: 68,
    k: 96,
    batches: 2,
    aT: true,
    bT: false,
    shape: "intel",
    lanes: [16, 8],
    tile: "32x64",
  },
  {
    m: 33,
    n: 12,
    k: 64,
    batches: 1,
    aT: false,
    bT: false,
    shape: "apple",
    lanes: [8, 8],
    tile: "32x64",
  },
] as const;

for (const { m, n, k, batches, aT, bT, shape, lanes: [lanes, least], tile } of PRODUCTS) {
  const text = `${batches} of ${m}x${k}${aT ? "ᵀ" : ""} by ${k}x${n}${bT ? "ᵀ" : ""}`;
  Deno.test(`matmul() of halves on the matrix units of ${shape} is the f64 product for ${text}`, async () => {
    const gpu = await testGpu();
    if (!gpu.has("shader-f16")) return;
    const units = withMatrixUnits(gpu, { shapes: [SHAPES[shape]], lanes, leastLanes: least });
    const a = halves(batches * m * k, 1), b = halves(batches * k * n, 2), bias = halves(n, 3);
    const args: MatmulArgs = {
      a: {
        ...{ tensor: upload(gpu, [a.length], a, "f16"), row: aT ? m : k, transposed: aT },
        inner: m * k,
      },
      b: {
        ...{ tensor: upload(gpu, [b.length], b, "f16"), row: bT ? k : n, transposed: bT },
        inner: k * n,
      },
      ...{ bias: upload(gpu, [n], bias, "f16"), m, n, k, alpha: 0.5, inner: batches },
    };
    const body = (capture: Capture) => ({ y: matmul(capture, args) });
    try {
      const [name = ""] = pickTile(units, tile, body);
      const { y } = await compute(gpu, (capture) => recordOnUnits(capture, units, least, body));
      const expected = Array.from({ length: batches }, (_, batch) =>
        [...matmulReference(
          m,
          n,
          k,
          (i, l) => a[batch * m * k + (aT ? l * m + i : i * k + l)]!,
          (l, j) => b[batch * k * n + (bT ? j * k + l : l * n + j)]!,
        )].map((v, i) => 0.5 * v + bias[i % n]!)).flat();
      assertNear(y, expected, 1e-5, name);
    } finally {
      restorePolicy(gpu);
    }
  });
}

/** Slices of one tap and across taps, loads of four channels and of one, a stride. */
const CONVOLUTIONS = [
  {
    x: [2, 8, 8, 32],
    weight: [3, 3, 32, 36],
    stride: 1,
    shape: "nvidia",
    lanes: 16,
    tile: "32x64",
  },
  { x: [1, 9, 11, 6], weight: [3, 3, 6, 5], stride: 2, shape: "intel", lanes: 16, tile: "32x64" },
] as const;

for (const { x: xShape, weight: wShape, stride, shape: units, lanes, tile } of CONVOLUTIONS) {
  const text = `x [${xShape}], weight [${wShape}], stride ${stride}`;
  Deno.test(`conv2d() and its gradients on the matrix units of ${units} are the f64 sums for ${text}`, async () => {
    const gpu = await testGpu();
    if (!gpu.has("shader-f16")) return;
    const fake = withMatrixUnits(gpu, { shapes: [SHAPES[units]], lanes });
    const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b);
    const x = halves(size(xShape), 1), w = halves(size(wShape), 2);
    const weight = upload(gpu, wShape, w, "f16"), xRef = upload(gpu, xShape, x, "f16");
    const shape = conv2dShape(xShape, weight, { padding: [1, 1], stride });
    const { n, oh, ow, co } = shape;
    const dy = halves(n * oh * ow * co, 3), bias = halves(co, 4), residual = halves(dy.length, 5);
    const dyRef = upload(gpu, [n, oh, ow, co], dy, "f16");
    const epilogue = {
      bias: upload(gpu, [co], bias, "f16"),
      residual: upload(gpu, [n, oh, ow, co], residual, "f16"),
    };
    const body = (capture: Capture): Record<string, TensorRef> => ({
      y: conv2dForward(capture, xRef, weight, shape, epilogue),
      dx: conv2dInputGrad(capture, weight, dyRef, shape),
      ...weightGrads(capture, xRef, dyRef, shape),
    });
    try {
      const names = pickTile(fake, tile, body);
      assertEquals(names.length, 3);
      const results = await compute(gpu, (capture) => recordOnUnits(capture, fake, lanes, body));
      const grads = conv2dGradReference(shape, x, w, dy);
      const y = conv2dReference(shape, x, w).map((v, i) => v + bias[i % co]! + residual[i]!);
      assertNear(results.y!, y, 2e-5, "y");
      assertNear(results.dx!, grads.dx, 2e-5, "dx");
      assertNear(results.dw!, grads.dw, 5e-5, "dw");
      assertNear(results.db!, grads.db, 5e-5, "db");
    } finally {
      restorePolicy(gpu);
    }
  });
}

Deno.test("matrix units compute what is stored as they take it, and nothing else", async () => {
  const gpu = await testGpu();
  const families = (dtype: "f16" | "f32", units: Gpu) => {
    const found: string[] = [];
    setVariantPolicy(units, {
      observe: (_key, variants, { family }) =>
        found.push(family, ...new Set(variants.map(({ family }) => family))),
    });
    const capture = new Capture(units, "test");
    const [a, b] = ["a", "b"].map((label) => capture.transient([64, 64], label, dtype));
    const sizes = { m: 64, n: 64, k: 64 };
    matmul(capture, { a: { tensor: a!, row: 64 }, b: { tensor: b!, row: 64 }, ...sizes });
    restorePolicy(units);
    return found;
  };
  const units = withMatrixUnits(gpu, { shapes: [SHAPES.nvidia], lanes: 32 });
  const [chosen, ...offered] = families("f16", units);
  assert(offered.includes("matrix") && chosen !== "matrix", "only the tuner chooses it");
  assert(!families("f32", units).includes("matrix"));
  assert(!families("f16", gpu).includes("matrix") || gpu.matrixShapes.length > 0);
  const f32 = { component: "f32", m: 8, n: 8, k: 8 } as const;
  assert(families("f32", withMatrixUnits(gpu, { shapes: [f32], lanes: 32 })).includes("matrix"));
  if (gpu.matrixShapes.length > 0) return;
  assertThrows(
    () => setVariantPolicy(gpu, { forced: "matrix" }),
    RangeError,
    "Cannot force kernels of the family matrix: the adapter must grant matrix units",
  );
});

/** Dawn's compiler, which says of every feature that it is there; null where Dawn is not installed. */
async function nullDawn(): Promise<Gpu | null> {
  const folder = dawnFolder(Deno.env);
  try {
    Deno.statSync(folder);
  } catch {
    console.warn(`not tried: Dawn is not in ${folder}`);
    return null;
  }
  const dawn = loadDawn<GpuConstants>(folder, { backend: "null" });
  const enables = [...STANDARD_ENABLES, MATRIX_ENABLE];
  return await openGpu({ provider: { ...dawn, enables, features: [MATRIX_FEATURE] } });
}

/** Every kernel of matrix units that some products and convolutions can have. */
function matrixKernels(gpu: Gpu): Kernel[] {
  const kernels = new Map<string, Kernel>();
  const record = (body: (capture: Capture) => void) => {
    const observe = (_key: string, variants: readonly Variant[]) => {
      setVariantPolicy(gpu, {});
      for (const variant of variants.filter(({ family }) => family === "matrix")) {
        const capture = new Capture(gpu, variant.name);
        variant.record(capture);
        for (const { kernel } of capture.dispatches) {
          if (kernel.matrices) kernels.set(kernel.wgsl, kernel);
        }
      }
      setVariantPolicy(gpu, { observe });
    };
    setVariantPolicy(gpu, { observe });
    body(new Capture(gpu, "listing"));
    setVariantPolicy(gpu, {});
  };
  for (const [m, n, k] of [[64, 128, 96], [5, 7, 9]] as const) {
    for (const aT of [false, true]) {
      for (const bT of [false, true]) {
        record((capture) => {
          const [a, b] = [[m, k], [k, n]].map((s) => capture.transient(s, "given", "f16"));
          matmul(capture, {
            a: { tensor: a!, row: aT ? m : k, transposed: aT },
            b: { tensor: b!, row: bT ? k : n, transposed: bT },
            ...{ m, n, k, bias: capture.transient([n], "bias", "f16") },
          });
        });
      }
    }
  }
  for (const [ci, co, stride] of [[64, 64, 1], [3, 5, 1], [32, 64, 2]] as const) {
    record((capture) => {
      const given = (shape: readonly number[]) => capture.transient(shape, "given", "f16");
      const x = given([2, 16, 16, ci]), weight = given([3, 3, ci, co]);
      const shape = conv2dShape(x.shape, weight, { padding: [1, 1], stride });
      const dy = given([2, shape.oh, shape.ow, co]);
      conv2dForward(capture, x, weight, shape, { perImage: given([2, co]), residual: dy });
      conv2dInputGrad(capture, weight, dy, shape);
      weightGrads(capture, x, dy, shape);
    });
  }
  return [...kernels.values()];
}

Deno.test("Dawn compiles every kernel of matrix units, and refuses one with a matrix too wide", async () => {
  const gpu = await nullDawn();
  if (!gpu) return;
  const large = { maxComputeWorkgroupStorageSize: 49152 };
  const compile = async (kernel: Kernel) => {
    gpu.device.pushErrorScope("validation");
    const code = shaderCode(kernel, gpu.parts.enables);
    gpu.device.createShaderModule({ code, label: kernel.name });
    const error = await gpu.device.popErrorScope();
    if (error) throw new Error(`Cannot build kernel ${kernel.name}: ${error.message}`);
  };
  let count = 0, wrong: Kernel | undefined;
  for (
    const [least, shape] of [[32, SHAPES.nvidia], [8, SHAPES.intel], [32, SHAPES.apple]] as const
  ) {
    const units = withMatrixUnits(gpu, { shapes: [shape], lanes: 32, leastLanes: least }, large);
    for (const kernel of matrixKernels(units)) {
      count++;
      await compile(kernel);
      if (kernel.workgroupBytes! > gpu.limits.maxComputeWorkgroupStorageSize) continue;
      await gpu.pipeline(kernel);
      wrong = kernel;
    }
  }
  assert(count > 100, `${count} kernels`);
  assert(wrong);
  const wgsl = wrong.wgsl.replace(/(subgroup_matrix_left<f16), \d+/, "$1, 24");
  assert(wgsl !== wrong.wgsl);
  await assertRejects(() => gpu.pipeline({ ...wrong, wgsl }), Error, "no matching call");
  await assertRejects(() => compile({ ...wrong, matrices: false }), Error, "subgroup_matrix");
  gpu.destroy();
});
