import { type EndedSum, endSums } from "../../../autograd/passes/end_sums.ts";
import { Graph, type Recompute } from "../../../autograd/graph.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { mseLoss } from "../../../autograd/ops/losses.ts";
import { Parameter } from "../../../autograd/parameter.ts";
import { Arena } from "../../../device/arena.ts";
import { Capture } from "../../../device/capture.ts";
import { planMemory } from "../../../device/plan_memory.ts";
import { resolve, sizeOf, type Storage, type TensorRef } from "../../../device/tensor.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  first: [3, 3, 8, 12],
  firstBias: [12],
  second: [3, 3, 12, 8],
  secondBias: [8],
};

/** Two convolutions and their gradients; with `shared` the first weight is used twice. */
async function run(
  options: { accumulate?: boolean; shared?: boolean; variables?: boolean; stages?: number },
) {
  const gpu = await testGpu();
  const entries = Object.entries(SHAPES).map(([name, shape]) => ({ name, shape }));
  const weights = Arena.create(gpu, "weights", entries);
  const grads = Arena.create(gpu, "gradients", entries);
  entries.forEach(({ name, shape }, i) => {
    gpu.write(weights.get(name), randomValues(sizeOf(shape), i + 1, 0.3));
    if (options.accumulate) gpu.write(grads.get(name), new Float32Array(sizeOf(shape)).fill(2));
  });
  const parameters = new Map(
    entries.map(({ name, shape }) => [name, new Parameter(shape, () => {})]),
  );
  const capture = new Capture(gpu, "convolutions");
  const graph = new Graph(capture, {
    parameters: new Map(
      [...parameters].map(([name, parameter]) => [parameter, {
        value: weights.get(name),
        grad: grads.get(name),
      }]),
    ),
    accumulate: options.accumulate ?? false,
    stages: options.stages ?? 1,
  });
  const variables = new Map(entries.map(({ name }) => [name, graph.variable(weights.get(name))]));
  const of = (name: string) =>
    options.variables ? variables.get(name)! : graph.parameter(parameters.get(name)!);
  const padding: [number, number] = [1, 1];
  const x = graph.constant(upload(gpu, [2, 40, 32, 8], randomValues(2 * 40 * 32 * 8, 9)));
  let h = conv2d(x, of("first"), { bias: of("firstBias"), padding });
  if (options.shared) {
    h = conv2d(conv2d(h, of("second"), { bias: of("secondBias"), padding }), of("first"), {
      bias: of("firstBias"),
      padding,
    });
  }
  const y = conv2d(h, of("second"), { bias: of("secondBias"), padding });
  const zero = graph.constant(upload(gpu, y.shape, new Array(sizeOf(y.shape)).fill(0)));
  const found = graph.backward(mseLoss(y, zero));
  for (const ref of found.values()) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const values: Record<string, Float32Array> = {};
  for (const { name } of entries) {
    values[name] = options.variables
      ? await program.readF32(found.get(variables.get(name)!)!)
      : await gpu.readF32(grads.get(name));
  }
  const kernels = capture.dispatches.map(({ kernel }) => kernel.name);
  program.destroy();
  return { values, sums: kernels.filter((name) => name.startsWith("sumParts")).length };
}

Deno.test("Graph.backward() ends the gradients of all weights and biases in one dispatch", async () => {
  const together = await run({});
  const apart = await run({ variables: true });
  assertEquals(together.sums, 1);
  assertEquals(apart.sums, 4);
  // One at a time they are the same sums in the same order.
  assertEquals(together.values, apart.values);
  assert(Object.values(together.values).every((grad) => grad.some((v) => Math.abs(v) > 1e-4)));
});

Deno.test("Graph.backward() ends gradients in stages where they are wanted early, to the same bits", async () => {
  const [whole, staged] = [await run({}), await run({ stages: 3 })];
  assertEquals(staged.sums, whole.sums + 1);
  assertEquals(staged.values, whole.values);
});

Deno.test("Graph.backward() adds deferred sums to what an accumulating graph's slots hold", async () => {
  const once = await run({});
  const added = await run({ accumulate: true });
  for (const [name, grad] of Object.entries(added.values)) {
    assertAllClose(grad, once.values[name]!.map((v) => v + 2), { rtol: 1e-6, atol: 1e-6, name });
  }
});

Deno.test("Graph.backward() adds all contributions to a parameter that is used twice", async () => {
  const shared = await run({ shared: true });
  const expected = await run({ shared: true, variables: true });
  assertEquals(shared.values, expected.values);
});

/** The sums of ten large gradients: the bytes of parts, and when these are alive. */
async function largeSums(recompute: Recompute) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "large");
  const parameters = Array.from({ length: 10 }, () => new Parameter([3, 3, 256, 256], () => {}));
  const slot = () => capture.transient([3, 3, 256, 256], "slot");
  const graph = new Graph(capture, {
    parameters: new Map(parameters.map((p) => [p, { value: slot(), grad: slot() }])),
    recompute,
  });
  let h = graph.constant(capture.transient([32, 16, 16, 256], "x"));
  for (const p of parameters) h = conv2d(h, graph.parameter(p), { padding: [1, 1] });
  graph.backward(h, capture.transient(h.shape, "dy"));
  const pools = new Map<Storage, { bytes: number; first: number; last: number }>();
  capture.dispatches.forEach(({ bindings }, i) => {
    for (const { tensor } of bindings) {
      const { storage } = resolve(tensor);
      if (storage.kind !== "transient" || storage.label !== "parts of gradients") continue;
      const { bytes, first } = pools.get(storage) ?? { bytes: storage.byteLength, first: i };
      pools.set(storage, { bytes, first, last: i });
    }
  });
  return [...pools.values()];
}

Deno.test("Graph.backward() sums large parts as they come, so that little memory waits", async () => {
  for (const [recompute, most] of [[true, 128 << 20], ["blocks", 64 << 20]] as const) {
    const pools = await largeSums(recompute);
    const bytes = pools.map(({ bytes }) => bytes);
    assert(pools.length > 1 && Math.max(...bytes) <= most, `${bytes} bytes`);
    assert(Math.max(...bytes) > most / 2, `${bytes} bytes`);
    pools.reduce((before, pool) => {
      assert(before.last < pool.first, "two are never alive at once");
      return pool;
    });
  }
});

Deno.test("endSums() ends parts of long ago with fresh ones, whose bytes others have until then", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "old");
  const slots = Arena.create(
    gpu,
    "slots",
    ["old", "older", "fresh"].map((name) => ({ name, shape: [4] })),
  );
  const values = randomValues(16, 1);
  const write = () => scaleForward(capture, upload(gpu, [16], values), 1);
  const old = write();
  for (let i = 0; i < 20; i++) write();
  // The parts are complete when nothing touches them any more.
  capture.keep(scaleForward(capture, old, 1));
  const fresh = write();
  const of = (parts: TensorRef, start: number, slot: string): EndedSum => ({
    sum: { parts, start, count: 2, stride: 8, shape: [4] },
    slot: slots.get(slot),
  });
  const before = capture.dispatches.length;
  const sums = [of(old, 0, "old"), of(fresh, 0, "fresh"), of(old, 4, "older")];
  endSums(capture, sums, { accumulate: false, frugal: false, stages: 1 });
  assertEquals(capture.dispatches.length - before, 1);
  assertEquals(resolve(old).storage, resolve(fresh).storage);
  // Old and fresh parts, and what is kept: those that nobody reads lie where the fresh ones come to be.
  assertEquals(planMemory(capture).memory.peakBytes, 3 * 256);
  const program = await capture.plan();
  program.run();
  for (const [slot, start] of [["old", 0], ["older", 4], ["fresh", 0]] as const) {
    const expected = [0, 1, 2, 3].map((i) =>
      Math.fround(values[start + i]! + values[start + i + 8]!)
    );
    assertEquals([...await gpu.readF32(slots.get(slot))], expected);
  }
  program.destroy();
});
