import { Capture } from "../../../device/capture.ts";
import { addToRing } from "../../../kernels/reduce/loss_ring.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";

Deno.test("addToRing() overwrites or adds at the slot that a replay names", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "ring");
  const ring = gpu.tensor([3], { data: Float32Array.of(9, 9, 9), label: "ring" });
  const slot = capture.input("slot", [2], "u32");
  const value = capture.input("value", []);
  addToRing(capture, ring, slot, value, 0.5);
  const program = await capture.plan();
  program.run({ slot: [1, 0], value: [4] });
  program.run({ slot: [1, 1], value: [6] });
  program.run({ slot: [2, 0], value: [NaN] });
  program.run({ slot: [2, 0], value: [-2] });
  assertEquals([...await gpu.readF32(ring)], [9, 5, -1]);
  program.destroy();
  gpu.destroyTensor(ring);
});

Deno.test("addToRing() refuses a value that is not one number", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "ring");
  const ring = capture.input("ring", [3]);
  const slot = capture.input("slot", [2], "u32");
  assertThrows(() => addToRing(capture, ring, slot, ring), RangeError, "got shapes [2] and [3]");
});
