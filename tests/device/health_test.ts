import { setImmediate } from "node:timers";
import { DeviceHealth } from "../../device/health.ts";
import { openGpu } from "../../device/open_gpu.ts";
import { assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

const never = () => new Promise<never>(() => {});

Deno.test("DeviceHealth.guard() ends work that never would when the device fails", async () => {
  const health = new DeviceHealth();
  const both = [health.guard(never), health.guard(never)];
  health.fail("the first word");
  health.fail("the second word");
  for (const work of both) await assertRejects(() => work, Error, "the first word");
  assertThrows(() => health.check(), Error, "the first word");
  await assertRejects(() => health.guard(() => Promise.resolve(1)), Error, "the first word");
});

Deno.test("DeviceHealth.guard() hands on what the work gives and throws", async () => {
  const health = new DeviceHealth();
  assertEquals(await health.guard(() => Promise.resolve(7)), 7);
  const work = () => Promise.reject(new RangeError("my own"));
  await assertRejects(() => health.guard(work), RangeError, "my own");
  health.check();
});

Deno.test("DeviceHealth.guard() blames the device when its news comes after the error", async () => {
  const health = new DeviceHealth();
  const work = () => {
    setImmediate(() => health.fail("GPU device lost"));
    return Promise.reject(new Error("Buffer is not mapped"));
  };
  await assertRejects(() => health.guard(work), Error, "GPU device lost");
});

Deno.test("Gpu tells a lost device from a failed read, and from one that was released", async () => {
  const gpu = await openGpu({ platform: Deno.build.os });
  const tensor = gpu.tensor([4]);
  gpu.device.destroy();
  await assertRejects(() => gpu.readF32(tensor), Error, "GPU device lost (destroyed)");
  await assertRejects(() => gpu.health.guard(never), Error, "GPU device lost (destroyed)");

  const released = await openGpu({ platform: Deno.build.os });
  released.destroy();
  await released.device.lost;
  released.health.check();
});

Deno.test("Gpu refuses guarded work at an error that nobody saw", async () => {
  const gpu = await openGpu({ platform: Deno.build.os });
  gpu.running("train step");
  const buffer = gpu.createBuffer(64, "small");
  await assertRejects(
    () =>
      gpu.health.guard(() => {
        gpu.device.queue.writeBuffer(buffer, 128, new Uint8Array(16));
        return never();
      }),
    Error,
    "GPU error while train step: Copy at offset 128",
  );
  gpu.destroy();
});

Deno.test("Gpu makes one staging buffer, whatever is read", async () => {
  const gpu = await testGpu();
  const [small, large] = [gpu.tensor([1]), gpu.tensor([300_000])];
  await gpu.read(small);
  const { buffers } = gpu.counters;
  await gpu.read(large);
  assertEquals(gpu.counters.buffers, buffers);
  for (const tensor of [small, large]) gpu.destroyTensor(tensor);
});
