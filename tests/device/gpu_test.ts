import { Capture } from "../../device/capture.ts";
import { openGpu } from "../../device/open_gpu.ts";
import { runtimeProvider } from "../../device/provider.ts";
import { scaleForward } from "../../kernels/elementwise/scale.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

Deno.test("openGpu() raises the limits to the adapter's", async () => {
  const gpu = await testGpu();
  const adapter = await gpu.parts.provider.gpu!.requestAdapter({
    powerPreference: "high-performance",
  });
  assertEquals(gpu.limits.maxBufferSize, adapter!.limits.maxBufferSize);
  assertEquals(
    gpu.limits.maxStorageBufferBindingSize,
    adapter!.limits.maxStorageBufferBindingSize,
  );
  assert(gpu.description.length > 0);
});

Deno.test("openGpu() says what to install when there is no adapter", async () => {
  const gpu = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
  const provider = { ...runtimeProvider(), gpu };
  await assertRejects(() => openGpu({ provider }), Error, "mesa-vulkan-drivers");
  const none = { ...runtimeProvider(), gpu: undefined };
  await assertRejects(() => openGpu({ provider: none }), Error, "mesa-vulkan-drivers");
});

Deno.test("openGpu() refuses the silent OpenGL fallback on Linux", async () => {
  const adapter = {
    info: { subgroupMinSize: 4, subgroupMaxSize: 128, description: "llvmpipe" },
    features: new Set(),
  };
  const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
  const provider = { ...runtimeProvider(), gpu };
  await assertRejects(() => openGpu({ provider, platform: "linux" }), Error, "only an OpenGL");
});

Deno.test("Gpu reads back what it wrote, in pieces and past one staging buffer", async () => {
  const gpu = await testGpu();
  const values = Uint32Array.from({ length: 5_000_000 }, (_, i) => i * 2654435761);
  const tensor = gpu.tensor([values.length], { dtype: "u32", data: values });
  const read = await gpu.read(tensor);
  assertEquals(read.length, values.length);
  assert(read.every((v, i) => v === values[i]));
  gpu.destroyTensor(tensor);
});

Deno.test("Gpu.read() gives each of several reads under way its own bytes", async () => {
  const gpu = await testGpu();
  const tensors = [1, 2, 3].map((seed) => {
    const data = Uint32Array.from({ length: 300_000 }, (_, i) => i * seed);
    return gpu.tensor([data.length], { dtype: "u32", data });
  });
  const read = await Promise.all(tensors.map((tensor) => gpu.read(tensor)));
  read.forEach((values, k) => assert(values.every((v, i) => v === i * (k + 1))));
  for (const tensor of tensors) gpu.destroyTensor(tensor);
});

for (const count of [1, 2, 7, 4096]) {
  Deno.test(`Gpu reads back ${count} halves as it wrote them`, async () => {
    const gpu = await testGpu();
    const values = Float16Array.from({ length: count }, (_, i) => (i - 3) / 7);
    const tensor = gpu.tensor([count], { dtype: "f16", data: values });
    const read = await gpu.read(tensor);
    assert(read instanceof Float16Array);
    assertEquals([...read], [...values]);
    gpu.destroyTensor(tensor);
  });
}

Deno.test("Gpu.tables has a table once, and frees it with the last program that reads it", async () => {
  const gpu = await testGpu();
  const plan = async () => {
    const capture = new Capture(gpu, "test");
    const table = capture.table("squares", [4], () => Float32Array.of(0, 1, 4, 9));
    const y = capture.keep(scaleForward(capture, table, 2));
    return { program: await capture.plan(), y };
  };
  const before = gpu.counters.bufferBytes;
  const first = await plan();
  const one = gpu.counters.bufferBytes - before;
  const second = await plan();
  assertEquals(gpu.counters.bufferBytes - before, 2 * one - 16);
  first.program.destroy();
  second.program.run();
  assertEquals([...await second.program.read(second.y)], [0, 2, 8, 18]);
  second.program.destroy();
  assertEquals(gpu.counters.bufferBytes, before);
});

Deno.test("Gpu ends the program on an uncaptured error and names what was running", async () => {
  const script = `
    import { openGpu } from ${
    JSON.stringify(new URL("../../device/open_gpu.ts", import.meta.url).href)
  };
    const gpu = await openGpu();
    gpu.running("train step");
    const buffer = gpu.createBuffer(64, "small");
    gpu.device.queue.writeBuffer(buffer, 128, new Uint8Array(16));
    await new Promise((resolve) => setTimeout(resolve, 500));
    console.log("still here");
  `;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    env: { DENO_WEBGPU_BACKEND: "vulkan", NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(new TextDecoder().decode(stdout), "");
  assert(code !== 0);
  assertStringIncludes(text, "GPU error while train step");
});
