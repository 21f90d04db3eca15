import { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import { copyGrid, copyKernel } from "../../device/copy_kernel.ts";
import { type Dispatch, readAgain } from "../../device/dispatch.ts";
import { Program } from "../../device/program.ts";
import { defineKernel } from "../../device/kernel.ts";
import { placeAt, reshape, slice, type TensorRef } from "../../device/tensor.ts";
import { addInto, addSame, copyInto } from "../../kernels/elementwise/add.ts";
import { reluForward } from "../../kernels/elementwise/relu.ts";
import { siluForward } from "../../kernels/elementwise/silu.ts";
import { concatForward } from "../../kernels/layout/concat.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../support/gpu.ts";

/** The same bytes. */
const toWords = (tensor: TensorRef): TensorRef => ({ ...tensor, dtype: "u32" });

/** A chain whose intermediate tensors can share memory. */
function chain(capture: Capture, x: TensorRef): TensorRef {
  let h = x;
  for (let i = 0; i < 12; i++) h = addSame(capture, siluForward(capture, h), h);
  return capture.keep(h);
}

Deno.test("Program gives equal bits with and without sharing of memory", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [1000], randomValues(1000));
  const results = [];
  const peaks = [];
  for (const alias of [true, false]) {
    const capture = new Capture(gpu, "chain");
    const y = chain(capture, x);
    const program = await capture.plan({ alias });
    program.run();
    results.push(await program.read(y));
    peaks.push(program.memory.peakBytes);
    program.destroy();
  }
  assertEquals(results[0], results[1]);
  assert(peaks[0]! * 4 < peaks[1]!, `sharing must save memory, got ${peaks}`);
});

Deno.test("Program.createTogether() shares memory among programs that run in turns", async () => {
  const gpu = await testGpu();
  const lengths = [1000, 3000, 50], keptIn = gpu.counters.bufferBytes;
  const inputs = lengths.map((length) => upload(gpu, [length], randomValues(length)));
  const ys: TensorRef[] = [];
  const captures = inputs.map((x, i) => {
    const capture = new Capture(gpu, `chain ${i}`);
    ys.push(chain(capture, x));
    return capture;
  });
  const alone = [];
  for (const [i, capture] of captures.entries()) {
    const program = await capture.plan();
    program.run();
    alone.push(await program.read(ys[i]!));
    program.destroy();
  }
  const before = gpu.counters.bufferBytes;
  const programs = await Program.createTogether(captures);
  const most = Math.max(...programs.map(({ memory }) => memory.peakBytes));
  const own = gpu.counters.bufferBytes - before;
  assert(own >= most && own < 1.2 * most, `${own} bytes for a largest of ${most}`);
  for (const i of [0, 2, 1, 0, 1]) {
    programs[i]!.run();
    assertEquals(await programs[i]!.read(ys[i]!), alone[i]!);
  }
  for (const program of programs) program.destroy();
  assertEquals(gpu.counters.bufferBytes, before);
  for (const x of inputs) gpu.destroyTensor(x);
  assertEquals(gpu.counters.bufferBytes, keptIn);
});

Deno.test("Program makes no GPU object when it is replayed", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "replay");
  const x = capture.input("x", [64]);
  const y = chain(capture, x);
  const program = await capture.plan();
  program.run({ x: randomValues(64, 1) });
  await program.read(y);
  const { submits: _, ...before } = gpu.counters;
  for (let i = 0; i < 5; i++) program.run({ x: randomValues(64, i) });
  await program.read(y);
  const { submits: __, ...after } = gpu.counters;
  assertEquals(after, before);
});

Deno.test("Program takes its inputs anew in each run", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "inputs");
  const y = capture.keep(
    addSame(capture, capture.input("a", [3]), capture.input("b", [3])),
  );
  const program = await capture.plan();
  program.run({ a: [1, 2, 3], b: [10, 20, 30] });
  assertEquals([...await program.read(y)], [11, 22, 33]);
  program.run({ a: [4, 5, 6], b: [0, 0, 0.5] });
  assertEquals([...await program.read(y)], [4, 5, 6.5]);
  assertThrows(() => program.run({ a: [1, 2, 3] }), TypeError, "input b must be given");
  assertThrows(() => program.run({ a: [1], b: [1, 2, 3] }), RangeError, "must have 3 values");
  assertThrows(() => program.run({ a: [], b: [], c: [] }), TypeError, "input c must be one");
});

Deno.test("Program.profile() times every dispatch", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "profiled");
  chain(capture, upload(gpu, [64], randomValues(64)));
  const program = await capture.plan();
  const { kernels, wallMs } = await program.profile();
  assertEquals(kernels.map(({ name }) => name).sort(), ["addSame.vec4f", "silu.vec4f"]);
  assertEquals(kernels.reduce((n, { dispatches }) => n + dispatches, 0), program.dispatchCount);
  // Dispatches follow each other within that time.
  const sum = kernels.reduce((total, { ms }) => total + ms, 0);
  assert(sum > 0 && sum <= wallMs, `${sum} of ${wallMs} ms`);
});

Deno.test("Capture refuses bindings that overlap when one is written", async () => {
  const gpu = await testGpu();
  const tensor = gpu.tensor([128]);
  const capture = new Capture(gpu, "overlap");
  addInto(capture, slice(tensor, 0, [64]), slice(tensor, 64, [64]));
  assertThrows(
    () => copyInto(capture, slice(tensor, 0, [128]), slice(tensor, 0, [128])),
    TypeError,
    "must not overlap",
  );
  const moved = new Capture(gpu, "moved");
  const copy = siluForward(moved, tensor);
  placeAt(copy, tensor);
  await assertRejects(() => moved.plan(), TypeError, "must not overlap");
});

Deno.test("Capture copies what a dispatch reads twice in memory that it writes, where bindings must not overlap", async () => {
  const gpu = await testGpu();
  const values = randomValues(256);
  const given = upload(gpu, [256], values);
  for (const dtype of ["f32", "f16"] as const) {
    const dispatches: Dispatch[] = [];
    const { y } = await compute(gpu, (capture) => {
      const x = capture.transient([256], "x", dtype);
      copyInto(capture, x, given);
      const y = concatForward(capture, x, slice(x, 128, [67]));
      dispatches.push(...capture.dispatches);
      return { y };
    });
    const stored = dtype === "f16" ? Float16Array.from(values) : values;
    assertEquals([...y], [...stored, ...stored.slice(128, 195)]);
    assertEquals(dispatches.filter(({ kernel }) => kernel.name === "copy").length, 1);
    assertEquals(readAgain(dispatches.at(-1)!).size, 0);
  }
  const read = new Capture(gpu, "read only");
  concatForward(read, given, given);
  assertEquals(read.dispatches.length, 1, "what is in a buffer that is not written needs no copy");
});

Deno.test("copyKernel copies more words than a grid has invocations", async () => {
  const gpu = await testGpu();
  const values = randomValues(1000), given = toWords(upload(gpu, [1000], values));
  const limits = { ...gpu.limits, maxComputeWorkgroupsPerDimension: 3 };
  const { y } = await compute(gpu, (capture) => {
    const y = capture.transient([1000], "copy");
    capture.dispatch({
      kernel: copyKernel,
      bindings: { x: given, y: toWords(y) },
      ...copyGrid(1000, limits),
    });
    return { y };
  });
  assertEquals([...y], [...values]);
});

Deno.test("Capture refuses to read what was never written", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "unwritten");
  siluForward(capture, capture.transient([4], "ghost"));
  await assertRejects(() => capture.plan(), TypeError, "ghost must be written before");
});

Deno.test("Capture refuses a misaligned slice by name", async () => {
  const gpu = await testGpu();
  const tensor = gpu.tensor([128], { label: "odd" });
  assertThrows(
    () => siluForward(new Capture(gpu, "misaligned"), slice(tensor, 1, [4])),
    RangeError,
    "x (odd) must start at a multiple",
  );
});

Deno.test("placeAt() makes a result land in another tensor's memory", async () => {
  const gpu = await testGpu();
  const slot = gpu.tensor([4], { label: "slot" });
  const capture = new Capture(gpu, "placed");
  const y = reluForward(capture, upload(gpu, [2, 2], [0, 0, 100, -100]));
  assert(placeAt(reshape(y, [4]), slot));
  assert(!placeAt(y, slot), "a second placement must be refused");
  const program = await capture.plan();
  program.run();
  assertEquals([...await gpu.read(slot)], [0, 0, 100, 0]);
  assertEquals(program.memory.peakBytes, 0);
});

Deno.test("Gpu names the kernel whose shader is refused", async () => {
  const gpu = await testGpu();
  const kernel = defineKernel({
    name: "broken",
    bindings: { y: { type: "f32", access: "write" } },
    params: {},
    workgroupSize: [1, 1, 1],
    wgsl: "@compute @workgroup_size(WX, WY, WZ) fn main() { y[0] = nonsense; }",
  });
  await assertRejects(() => gpu.pipeline(kernel), Error, "Cannot build kernel broken");
});

Deno.test("Arena keeps one layout, aligns tensors and straddles no chunk", async () => {
  const gpu = await testGpu();
  const entries = [
    { name: "a", shape: [3, 5] },
    { name: "b", shape: [100] },
    { name: "c", shape: [300] },
  ];
  const arena = Arena.create(gpu, "weights", entries, 1536);
  assertEquals(arena.chunks.map((chunk) => chunk.shape[0]), [192, 320]);
  assertEquals(arena.get("b").byteOffset, 256);
  gpu.write(arena.get("b"), Float32Array.from({ length: 100 }, (_, i) => i));
  const flat = await gpu.read(arena.chunks[0]!);
  assertEquals([flat[63], flat[64], flat[163], flat[164]], [0, 0, 99, 0]);
  assertThrows(() => arena.get("d"), RangeError, "Cannot find d");
  assertThrows(() => Arena.create(gpu, "small", entries, 1024), RangeError, "tensor c");
});

Deno.test("Capture.keep() holds an early result to the end, where its bytes would be reused", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [256], randomValues(256));
  const capture = new Capture(gpu, "kept");
  const early = capture.keep(addSame(capture, x, x));
  // Ten more tensors of the same size, each dead after the next: unkept, `early` shares with them.
  let h = siluForward(capture, early);
  for (let i = 0; i < 10; i++) h = siluForward(capture, h);
  const program = await capture.plan();
  program.run();
  assertEquals(await program.read(early), randomValues(256).map((v) => v + v));
});
