import { Graph, type Recompute, type Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { groupNorm } from "../../../autograd/ops/group_norm.ts";
import { join } from "../../../autograd/ops/join.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { Capture } from "../../../device/capture.ts";
import type { DType } from "../../../device/element.ts";
import { sizeOf, toHostArray } from "../../../device/tensor.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

interface Case {
  readonly outer: readonly [number, number, number];
  readonly ca: number;
  readonly cb: number;
  readonly co: number;
  readonly groups: number;
}

type Both = (a: Tensor, b: Tensor) => Tensor;

/** A block over two tensors, of which the second feeds another op as well, by `both`. */
async function runBlock(
  { outer, ca, cb, co, groups }: Case,
  both: Both,
  { recompute = false, dtype = "f32", stacked = false }: {
    readonly recompute?: Recompute;
    readonly dtype?: DType;
    /** Whether the shortcut has the images one below the other. */
    readonly stacked?: boolean;
  } = {},
) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { recompute });
  const shapes = [
    [...outer, ca],
    [...outer, cb],
    [ca + cb],
    [ca + cb],
    [3, 3, ca + cb, co],
    [1, 1, ca + cb, co],
    [cb],
    [cb],
    [1, 1, cb, co],
  ];
  const inputs = shapes.map((shape, i) => {
    const values = toHostArray(dtype, randomValues(sizeOf(shape), i + 1, i > 3 ? 0.2 : 1));
    return graph.variable(upload(gpu, shape, values, i > 1 ? "f32" : dtype));
  });
  const [x0, x1, weight, bias, w3, w1, weightB, biasB, wB] = inputs;
  const a = scale(x0!, 1.5), b = scale(x1!, 0.5);
  const other = conv2d(groupNorm(b, weightB!, biasB!, { groups: 1 }), wB!);
  const block = graph.checkpoint(() => {
    const x = both(a, b);
    const [n, height, width] = outer;
    const residual = stacked
      ? reshape(conv2d(reshape(x, [1, n * height, width, ca + cb]), w1!), [...outer, co])
      : conv2d(x, w1!);
    const normal = groupNorm(x, weight!, bias!, { groups, silu: true });
    return conv2d(normal, w3!, { padding: [1, 1], residual });
  });
  const y = add(block, other);
  const dy = toHostArray(dtype, randomValues(sizeOf(y.shape), 77));
  const grads = graph.backward(y, upload(gpu, y.shape, dy, dtype));
  const refs = [y.ref, ...inputs.map((input) => grads.get(input)!)];
  for (const ref of refs) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const values: Float32Array[] = [];
  for (const ref of refs) values.push(Float32Array.from(await program.read(ref)));
  program.destroy();
  const names = capture.dispatches.map(({ kernel }) => kernel.name);
  return { values, names };
}

const copies = (names: readonly string[]) =>
  names.filter((name) => name.startsWith("concat") || name.startsWith("splitLast")).length;

const CASES: readonly Case[] = [
  { outer: [2, 4, 4], ca: 8, cb: 4, co: 8, groups: 3 },
  { outer: [1, 8, 8], ca: 16, cb: 20, co: 12, groups: 4 }, // a group on both sides
  { outer: [4, 8, 4], ca: 64, cb: 32, co: 64, groups: 32 },
];

for (const given of CASES) {
  for (const recompute of [false, true, "blocks"] as const) {
    Deno.test(`join() of [${given.outer}] of ${given.ca} and ${given.cb} copies nothing and has the gradients of concat(), recompute ${recompute}`, async () => {
      const one = await runBlock(given, concat, { recompute });
      const two = await runBlock(given, join, { recompute });
      assert(copies(one.names) >= 2);
      assertEquals(copies(two.names), 0);
      assertEquals(two.names.length, one.names.length - copies(one.names));
      two.values.forEach((values, i) =>
        assertAllClose(values, one.values[i]!, { rtol: 1e-5, atol: 2e-5, name: `result ${i}` })
      );
    });
  }
}

Deno.test("join() has gradients of concat() where they come to it one by one", async () => {
  const one = await runBlock(CASES[1]!, concat, { stacked: true });
  const two = await runBlock(CASES[1]!, join, { stacked: true });
  assertEquals(copies(two.names), 0);
  two.values.forEach((values, i) =>
    assertAllClose(values, one.values[i]!, { rtol: 1e-5, atol: 2e-5, name: `result ${i}` })
  );
});

Deno.test("join() joins halves", async () => {
  if (!(await testGpu()).has("shader-f16")) return;
  const one = await runBlock(CASES[1]!, concat, { dtype: "f16" });
  const two = await runBlock(CASES[1]!, join, { dtype: "f16" });
  assertEquals(copies(two.names), 0);
  two.values.forEach((values, i) =>
    assertAllClose(values, one.values[i]!, { rtol: 1e-2, atol: 3e-2, name: `result ${i}` })
  );
});

for (
  const [what, given] of [
    ["odd channels", { outer: [2, 4, 8], ca: 6, cb: 10, co: 4, groups: 4 }],
    ["a first tensor that ends where no binding may begin", {
      outer: [1, 3, 3],
      ca: 4,
      cb: 8,
      co: 4,
      groups: 3,
    }],
  ] as const
) {
  Deno.test(`join() of ${what} is concat()`, async () => {
    const one = await runBlock(given, concat), two = await runBlock(given, join);
    assertEquals(two.names, one.names);
    assertEquals(two.values, one.values);
  });
}

Deno.test("join() is concat() of what has a place of its own, and of one tensor twice", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture);
  const given = graph.constant(upload(gpu, [2, 4, 4, 8], randomValues(256)));
  const made = scale(given, 2), kept = scale(given, 3);
  capture.keep(kept.ref);
  for (const [a, b] of [[given, made], [made, made], [made, kept]] as const) {
    assertEquals(join(a, b).ref.seam, undefined);
  }
  const other = scale(given, 4);
  assertEquals(join(made, other).ref.seam, 8);
  assertEquals(join(made, other).ref.seam, 8, "joined once, they stay so");
  assertEquals(join(other, made).ref.seam, undefined);
});

Deno.test("what does not know of joined tensors refuses them", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "test"));
  const given = graph.constant(upload(gpu, [2, 4, 4, 8], randomValues(256)));
  const both = join(scale(given, 2), scale(given, 3));
  assertThrows(() => scale(both, 2), TypeError, "must be one tensor");
  assertThrows(() => conv2d(both, graph.constant(gpu.tensor([3, 3, 16, 4]))), RangeError, "1x1");
});
