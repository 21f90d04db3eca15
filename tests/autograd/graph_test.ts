import { Graph, type Recompute, type Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { concat } from "../../autograd/ops/concat.ts";
import { conv2d, pointwiseConvs } from "../../autograd/ops/conv2d.ts";
import { dropout } from "../../autograd/ops/dropout.ts";
import { groupNorm } from "../../autograd/ops/group_norm.ts";
import { mseLoss } from "../../autograd/ops/losses.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { silu } from "../../autograd/ops/silu.ts";
import { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { mulForward } from "../../kernels/elementwise/broadcast.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";
import { differentiate, operand } from "../support/gradients.ts";

Deno.test("Graph adds the gradients of a tensor that feeds several ops", async () => {
  const gpu = await testGpu();
  const x = operand([3, 5], 1);
  // y = x x + x, so dx = dy (2 x + 1); the residual hands the same upstream gradient to both.
  const { dy, grads } = await differentiate(gpu, [x], ([x]) => add(mul(x!, x!), x!));
  const expected = Array.from(dy, (d, i) => d * (2 * x.values[i]! + 1));
  assertAllClose(grads[0]!, expected, { atol: 1e-5 });
});

Deno.test("Graph carries gradients through reshapes", async () => {
  const gpu = await testGpu();
  const { dy, grads } = await differentiate(
    gpu,
    [operand([2, 6])],
    ([x]) => reshape(add(reshape(x!, [3, 4]), reshape(x!, [3, 4])), [12]),
  );
  assertAllClose(grads[0]!, Array.from(dy, (d) => 2 * d));
});

/** Records loss = mean((w x)^2) with `w` a parameter; returns its gradient after `runs` replays. */
async function parameterGradient(accumulate: boolean, runs: number) {
  const gpu = await testGpu();
  const parameter = new Parameter([8], () => {});
  const slot = {
    value: upload(gpu, [8], randomValues(8, 1)),
    grad: upload(gpu, [8], new Array(8).fill(0.5)),
  };
  const capture = new Capture(gpu, "parameter");
  const graph = new Graph(capture, { parameters: new Map([[parameter, slot]]), accumulate });
  const x = graph.constant(upload(gpu, [8], randomValues(8, 2)));
  const zero = graph.constant(upload(gpu, [8], new Array(8).fill(0)));
  const loss = mseLoss(mul(graph.parameter(parameter), x), zero);
  const others = graph.backward(loss);
  assertEquals(others.size, 0);
  const program = await capture.plan();
  for (let i = 0; i < runs; i++) program.run();
  const w = randomValues(8, 1), v = randomValues(8, 2);
  const once = Array.from(w, (value, i) => 2 / 8 * value * v[i]! ** 2);
  return { grad: await gpu.readF32(slot.grad), once };
}

Deno.test("Graph overwrites a parameter's gradient in its slot", async () => {
  const { grad, once } = await parameterGradient(false, 2);
  assertAllClose(grad, once);
});

Deno.test("Graph adds to a parameter's gradient when it accumulates", async () => {
  const { grad, once } = await parameterGradient(true, 2);
  assertAllClose(grad, once.map((g) => 0.5 + 2 * g));
});

Deno.test("Graph delivers one upstream gradient to two parameters", async () => {
  const gpu = await testGpu();
  const parameters = [new Parameter([4], () => {}), new Parameter([4], () => {})];
  const slots = parameters.map(() => ({ value: gpu.tensor([4]), grad: gpu.tensor([4]) }));
  const capture = new Capture(gpu, "two");
  const graph = new Graph(capture, {
    parameters: new Map(parameters.map((parameter, i) => [parameter, slots[i]!])),
  });
  const sum = add(graph.parameter(parameters[0]!), graph.parameter(parameters[1]!));
  graph.backward(sum, upload(gpu, [4], [1, 2, 3, 4]));
  const program = await capture.plan();
  program.run();
  for (const { grad } of slots) assertEquals([...await gpu.read(grad)], [1, 2, 3, 4]);
});

Deno.test("Graph records no gradient for what nobody wants", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "needs");
  const graph = new Graph(capture);
  const x = graph.constant(gpu.tensor([4])), y = graph.variable(gpu.tensor([4]));
  const product = mul(silu(x), y);
  const forward = capture.dispatches.length;
  graph.backward(product, gpu.tensor([4]));
  assertEquals(capture.dispatches.slice(forward).length, 1);
});

Deno.test("Graph refuses an op without derivative when it is recorded", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "rule"));
  const x = graph.variable(gpu.tensor([4]));
  const record = { op: "floor", inputs: [x], output: x.ref };
  assertThrows(() => graph.record(record), TypeError, "Cannot record floor");
  const constant = graph.constant(gpu.tensor([4]));
  assertEquals(graph.record({ ...record, inputs: [constant] }).needsGrad, false);
});

Deno.test("Graph refuses to differentiate a constant, or a vector without a seed", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "loss"));
  assertThrows(
    () => graph.backward(graph.constant(gpu.tensor([]))),
    TypeError,
    "must depend on a parameter",
  );
  assertThrows(
    () => graph.backward(silu(graph.variable(gpu.tensor([4])))),
    TypeError,
    "must be a scalar",
  );
});

Deno.test("Graph refuses a parameter that it has no slot for", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "slot"));
  assertThrows(() => graph.parameter(new Parameter([4], () => {})), RangeError, "shape [4]");
});

Deno.test("Graph lets rules absorb what other ops contributed, whatever the order", async () => {
  const gpu = await testGpu();
  const operands = [
    operand([1, 4, 4, 8], 1),
    operand([8], 2),
    operand([8], 3),
    operand([3, 3, 8, 8], 4, 0.2),
    operand([1, 1, 8, 8], 5, 0.2),
  ];
  const norm = (t: Tensor[]) => groupNorm(t[0]!, t[1]!, t[2]!, { groups: 4, silu: true });
  const wide = (t: Tensor[]) => conv2d(t[0]!, t[3]!, { padding: [1, 1] });
  const narrow = (t: Tensor[]) => conv2d(t[0]!, t[4]!);
  // Each op alone.
  const parts: Float32Array[] = [];
  for (const op of [norm, wide, narrow]) {
    const used = op === norm ? [0, 1, 2] : op === wide ? [0, 3] : [0, 4];
    const { grads } = await differentiate(gpu, used.map((i) => operands[i]!), (given) => {
      const t: Tensor[] = [];
      used.forEach((i, j) => t[i] = given[j]!);
      return op(t);
    });
    parts.push(grads[0]!);
  }
  const expected = parts[0]!.map((g, i) => g + parts[1]![i]! + parts[2]![i]!);
  for (const order of [[norm, wide, narrow], [narrow, norm, wide], [wide, narrow, norm]]) {
    const { grads } = await differentiate(
      gpu,
      operands,
      (t) => add(add(order[0]!(t), order[1]!(t)), order[2]!(t)),
    );
    assertAllClose(grads[0]!, expected, { atol: 1e-5 });
  }
});

Deno.test("Graph adds a residual's gradient and a skip's in the norm's own kernel", async () => {
  const gpu = await testGpu();
  const operands = [
    operand([2, 4, 4, 8], 1),
    operand([8], 2),
    operand([8], 3),
    operand([3, 3, 8, 8], 4, 0.2),
  ];
  // Where the residual goes through another op, its gradient comes after the norm's.
  const run = async (residual: (x: Tensor) => Tensor) => {
    let capture: Capture | undefined;
    const { grads } = await differentiate(gpu, operands, ([x, weight, bias, kernel], graph) => {
      capture = graph.capture;
      const copy = residual(x!);
      const y = groupNorm(x!, weight!, bias!, { groups: 4, silu: true });
      return concat(conv2d(y, kernel!, { padding: [1, 1], residual: copy }), x!);
    });
    const adds = capture!.dispatches.filter(({ kernel }) => kernel.name.startsWith("addSame"));
    return { grads, adds: adds.length };
  };
  const fused = await run((x) => x), apart = await run((x) => reshape(x, x.shape));
  fused.grads.forEach((grad, i) => assertAllClose(grad, apart.grads[i]!, { atol: 1e-6 }));
  const most = gpu.limits.maxStorageBuffersPerShaderStage;
  assertEquals([fused.adds, apart.adds], [most >= 12 ? 0 : 1, 1]);
});

/** Blocks of {@linkcode stretch}. */
const STRETCHES = 8;

/** A small stretch of a U-Net, its gradients and its peak memory. */
async function stretch(recompute: Recompute) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "stretch");
  const random = upload(gpu, [4], [1, 2, 3, 4], "u32");
  const graph = new Graph(capture, { training: true, recompute, random });
  const variable = (shape: number[], seed: number, scale = 1) =>
    graph.variable(upload(gpu, shape, randomValues(sizeOf(shape), seed, scale)));
  const x = variable([2, 16, 16, 8], 1);
  let h = x;
  for (let i = 0; i < STRETCHES; i++) {
    const weight = variable([16], 10 * i + 2), bias = variable([16], 10 * i + 3);
    const wide = variable([3, 3, 16, 16], 10 * i + 4, 0.2);
    const narrow = variable([3, 3, 16, 8], 10 * i + 5, 0.2);
    const before = h;
    h = graph.checkpoint(() => {
      const both = concat(before, x);
      const normal = dropout(groupNorm(both, weight, bias, { groups: 4, silu: true }), 0.2);
      const middle = conv2d(normal, wide, { padding: [1, 1] });
      return conv2d(dropout(silu(middle), 0.3), narrow, { padding: [1, 1], residual: before });
    });
  }
  const last = dropout(h, 0.5);
  const grads = graph.backward(mseLoss(last, graph.constant(gpu.tensor(h.shape))));
  const refs = [last.ref, ...grads.values()].map((ref) => capture.keep(ref));
  const program = await capture.plan();
  program.run();
  const values: number[] = [];
  for (const ref of refs) values.push(...await program.read(ref));
  const names = capture.dispatches.map(({ kernel }) => kernel.name);
  const { peakBytes, textureBytes } = program.memory;
  return { values, peak: peakBytes - textureBytes, names };
}

Deno.test("Graph gives equal bits and needs less memory when it recomputes", async () => {
  const kept = await stretch(false), cheap = await stretch(true), blocks = await stretch("blocks");
  for (const again of [cheap, blocks]) {
    assertAllClose(again.values, kept.values, { rtol: 0, atol: 0 });
    assert(again.names.length > kept.names.length);
  }
  assert(cheap.peak < 0.9 * kept.peak, `${cheap.peak} bytes against ${kept.peak}`);
  assert(blocks.peak < 0.75 * cheap.peak, `${blocks.peak} bytes against ${cheap.peak}`);
});

Deno.test("Graph.checkpoint() runs again only what the rules ask for", async () => {
  const cheap = await stretch(true), blocks = await stretch("blocks");
  const convolutions = (names: string[]) =>
    names.filter((name) => name.startsWith("conv2d") && !name.includes("rad")).length;
  // Of the two convolutions of each stretch, the last one's output is not needed.
  assertEquals(convolutions(blocks.names) - convolutions(cheap.names), STRETCHES);
});

Deno.test("Graph.checkpoint() takes a body that hands a tensor through, and one inside another", async () => {
  const gpu = await testGpu();
  const x = operand([2, 3], 1);
  const { dy, grads } = await differentiate(gpu, [x], ([x], graph) => {
    const same = graph.checkpoint(() => x!);
    return add(graph.checkpoint(() => graph.checkpoint(() => mul(same, same))), x!);
  }, { recompute: "blocks" });
  assertAllClose(grads[0]!, Array.from(dy, (d, i) => d * (2 * x.values[i]! + 1)), { atol: 1e-5 });
});

Deno.test("Graph.checkpoint() records nothing for what nobody wants", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "needs");
  const graph = new Graph(capture, { recompute: "blocks" });
  const x = graph.constant(gpu.tensor([4])), y = graph.variable(gpu.tensor([4]));
  const product = mul(graph.checkpoint(() => silu(silu(x))), y);
  const forward = capture.dispatches.length;
  graph.backward(product, gpu.tensor([4]));
  assertEquals(capture.dispatches.slice(forward).length, 1);
});

/** A function of an image `[2, 5, 3, 8]` and of parameters of these shapes. */
interface Late {
  readonly shapes: readonly (readonly number[])[];
  readonly fn: (x: Tensor, parameters: Tensor[]) => Tensor;
}

/** Its gradients, from a seed that is read again at the end. */
async function differentiateLate({ shapes, fn }: Late, recompute: Recompute) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "late");
  const parameters = shapes.map((shape, i): [Parameter, { value: TensorRef; grad: TensorRef }] => [
    new Parameter(shape, () => {}),
    { value: upload(gpu, shape, randomValues(sizeOf(shape), i + 1)), grad: gpu.tensor(shape) },
  ]);
  const random = upload(gpu, [4], [1, 2, 3, 4], "u32");
  const graph = new Graph(capture, {
    parameters: new Map(parameters),
    recompute,
    training: true,
    random,
  });
  const x = graph.variable(upload(gpu, [2, 5, 3, 8], randomValues(240, 50)));
  const y = graph.checkpoint(() =>
    fn(x, parameters.map(([parameter]) => graph.parameter(parameter)))
  );
  const dy = randomValues(sizeOf(y.shape), 77);
  const seed = upload(gpu, y.shape, dy);
  const dx = capture.keep(graph.backward(y, seed).get(x)!);
  const program = await capture.plan();
  program.run();
  const grads = [await program.readF32(dx)];
  for (const [, { grad }] of parameters) grads.push(await gpu.readF32(grad));
  assertEquals(await gpu.readF32(seed), dy, "the caller's seed");
  program.destroy();
  const names = capture.dispatches.map(({ kernel }) => kernel.name)
    .filter((name) => name.startsWith("groupNorm"));
  return {
    grads,
    forward: names.filter((name) => !name.includes("Backward")).length,
    inPassing: names.filter((name) => name.includes("+y")).length,
  };
}

const NORM = [[8], [8]] as const;
const norm = (x: Tensor, [weight, bias]: Tensor[], dropout?: number) =>
  groupNorm(x, weight!, bias!, { groups: 4, silu: true, dropout });

/** An op whose "gradient" of p is dy x. It passes on the gradient that it got, or none. */
function probe(x: Tensor, p: Tensor, passes: boolean): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "probe",
    inputs: [x, p],
    output: mulForward(capture, x.ref, p.ref),
    backward: (dy) => [passes ? dy : null, mulForward(capture, x.saved(), dy)],
  });
}

/** With the forward passes of normalisation that a recomputing graph makes, and values in passing. */
const LATE: Readonly<Record<string, Late & { forward: number; inPassing: number }>> = {
  "a convolution behind normalisation": {
    shapes: [...NORM, [3, 3, 8, 4], [4]],
    fn: (x, p) => conv2d(norm(x, p, 0.3), p[2]!, { bias: p[3]!, padding: [1, 1] }),
    forward: 1,
    inPassing: 1,
  },
  "three layers of one input": {
    shapes: [...NORM, [1, 1, 8, 8], [8], [1, 1, 8, 8], [8], [1, 1, 8, 8], [8]],
    fn: (x, p) => {
      const layers = [2, 4, 6].map((i) => ({ weight: p[i]!, bias: p[i + 1]! }));
      const [a, b, c] = pointwiseConvs(norm(x, p), layers);
      return mul(add(a!, b!), c!);
    },
    forward: 1,
    inPassing: 1,
  },
  "three that share an input": {
    shapes: [...NORM, [1, 1, 8, 8], [8], [1, 1, 8, 4], [4], [3, 3, 8, 8]],
    fn: (x, p) => {
      const h = norm(x, p);
      const [a] = pointwiseConvs(h, [{ weight: p[2]!, bias: p[3]! }]);
      const b = concat(conv2d(h, p[4]!, { bias: p[5]! }), conv2d(x, p[4]!));
      return add(add(a!, b), conv2d(h, p[6]!, { padding: [1, 1] }));
    },
    forward: 2, // The second weight is used twice, so its gradient cannot wait.
    inPassing: 0,
  },
  "a linear layer": {
    shapes: [...NORM, [8, 6], [6]],
    fn: (x, p) => linear(norm(x, p), p[2]!, p[3]!),
    forward: 1,
    inPassing: 1,
  },
  "a block and its shortcut": {
    shapes: [...NORM, [3, 3, 8, 8], [8], [8], [3, 3, 8, 8]],
    fn: (x, p) => {
      const h = conv2d(norm(x, p), p[2]!, { padding: [1, 1] });
      return conv2d(norm(h, p.slice(3), 0.2), p[5]!, { padding: [1, 1], residual: x });
    },
    forward: 2,
    inPassing: 2,
  },
  "a gradient that is somebody else's too": {
    shapes: [...NORM, [2, 5, 3, 8]],
    fn: (x, p) => probe(norm(x, p), p[2]!, true),
    forward: 2,
    inPassing: 0,
  },
  "a gradient that never comes": {
    shapes: [...NORM, [2, 5, 3, 8]],
    fn: (x, p) => add(probe(norm(x, p), p[2]!, false), x),
    forward: 2,
    inPassing: 0,
  },
};

for (const [name, { forward, inPassing, ...late }] of Object.entries(LATE)) {
  Deno.test(`Graph gives equal bits when gradients wait for values: ${name}`, async () => {
    const kept = await differentiateLate(late, false);
    const cheap = await differentiateLate(late, true);
    const blocks = await differentiateLate(late, "blocks");
    for (const grad of [kept.grads[0]!, kept.grads.at(-1)!]) {
      assert(grad.some((v) => Math.abs(v) > 1e-3));
    }
    assertEquals(cheap.grads, kept.grads);
    assertEquals(blocks.grads, kept.grads);
    assertEquals([cheap.forward, cheap.inPassing], [forward, inPassing]);
    assertEquals(blocks.inPassing, inPassing);
    assertEquals(kept.inPassing, 0);
  });
}
