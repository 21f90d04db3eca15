import { openGpu } from "../../device/gpu.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

Deno.test("openGpu() raises the limits to the adapter's", async () => {
  const gpu = await testGpu();
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  assertEquals(gpu.limits.maxBufferSize, adapter!.limits.maxBufferSize);
  assertEquals(
    gpu.limits.maxStorageBufferBindingSize,
    adapter!.limits.maxStorageBufferBindingSize,
  );
  assert(gpu.description.length > 0);
});

Deno.test("openGpu() says what to install when there is no adapter", async () => {
  const provider = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
  await assertRejects(() => openGpu({ provider }), Error, "mesa-vulkan-drivers");
});

Deno.test("openGpu() refuses the silent OpenGL fallback on Linux", async () => {
  const adapter = {
    info: { subgroupMinSize: 4, subgroupMaxSize: 128, description: "llvmpipe" },
    features: new Set(),
  };
  const provider = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
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

Deno.test("Gpu ends the program on an uncaptured error and names what was running", async () => {
  const script = `
    import { openGpu } from ${JSON.stringify(new URL("../../device/gpu.ts", import.meta.url).href)};
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
