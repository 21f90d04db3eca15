import { Capture } from "../../device/capture.ts";
import { planMemory } from "../../device/plan_memory.ts";
import type { Gpu } from "../../device/gpu.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { placeAt, slice, type TensorRef } from "../../device/tensor.ts";
import { addSame } from "../../kernels/elementwise/add.ts";
import { siluForward } from "../../kernels/elementwise/silu.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

/** A chain of five tensors, the last two made of the first and the one before. */
function recordChain(capture: Capture, elements: number): TensorRef {
  const x = capture.gpu.tensor([elements], { label: "given" });
  const first = siluForward(capture, x);
  const second = siluForward(capture, siluForward(capture, first));
  return capture.keep(addSame(capture, first, second));
}

Deno.test("planMemory() gives the report and the sizes of the program that is planned", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  recordChain(capture, 1024);
  const { memory, bufferBytes, placements } = planMemory(capture);
  assertEquals([memory.peakBytes, memory.unsharedBytes], [3 * 4096, 4 * 4096]);
  assertEquals(memory.holders.map(({ bytes }) => bytes), [4096, 4096, 4096]);
  assertEquals([placements.size, bufferBytes], [4, [3 * 4096]]);
  assertEquals(planMemory(capture, { alias: false }).bufferBytes, [4 * 4096]);
  const program = await capture.plan();
  assertEquals(program.memory, memory);
  program.destroy();
});

Deno.test("planMemory() lets parts of a tensor live by themselves, but not of one that is kept", async () => {
  const gpu = await testGpu();
  const record = (keeps: boolean) => {
    const capture = new Capture(gpu, "test");
    const first = siluForward(capture, gpu.tensor([1024]));
    const last = siluForward(capture, siluForward(capture, siluForward(capture, first)));
    const both = capture.transient([2048], "both");
    placeAt(first, slice(both, 0, [1024]));
    placeAt(last, slice(both, 1024, [1024]));
    addSame(capture, siluForward(capture, last), last);
    if (keeps) capture.keep(both);
    return planMemory(capture).memory;
  };
  assertEquals([record(false).peakBytes, record(false).unsharedBytes], [3 * 4096, 6 * 4096]);
  assertEquals(record(false).holders.map(({ bytes }) => bytes), [4096, 4096, 4096]);
  assert(record(true).peakBytes > record(false).peakBytes);
});

Deno.test("planMemory() refuses a transient that nothing has written", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  siluForward(capture, capture.transient([4], "unwritten"));
  assertThrows(() => planMemory(capture), TypeError, "unwritten must be written before");
});

Deno.test("planningGpu() plans as the adapter does, counts buffers and allocates none", async () => {
  const gpu = await testGpu();
  const before = { ...gpu.counters };
  const planning = planningGpu(gpu);
  assertEquals(planning.subgroupSize, gpu.subgroupSize);
  const capture = new Capture(planning, "test");
  recordChain(capture, 1024);
  assertEquals(planMemory(capture).memory.peakBytes, 3 * 4096);
  assertEquals(planning.counters.bufferBytes, 4096);
  assertEquals(gpu.counters, before);
});

Deno.test("planningGpu() has the adapter's limits unless they are lifted", async () => {
  const gpu = await testGpu();
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
  const elements = Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4 + 4;
  const record = (gpu: Gpu) => recordChain(new Capture(gpu, "test"), elements);
  assertThrows(() => record(planningGpu(gpu)), RangeError, "bytes");
  const unlimited = planningGpu(gpu, { unlimited: true });
  record(unlimited);
  assert(unlimited.counters.bufferBytes >= 4 * elements);
  assertEquals(
    unlimited.limits.maxComputeInvocationsPerWorkgroup,
    gpu.limits.maxComputeInvocationsPerWorkgroup,
  );
});

Deno.test("planningGpu() refuses to run", async () => {
  const capture = new Capture(planningGpu(await testGpu()), "test");
  recordChain(capture, 16);
  await assertRejects(() => capture.plan(), TypeError, "it must be a real one");
});
