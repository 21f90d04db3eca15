import { conditionInputs, conditionValues } from "../../autograd/network_inputs.ts";
import { Capture } from "../../device/capture.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("conditionInputs() makes what a network wants to know, and nothing else", () => {
  const capture = new Capture(planningGpu(null), "test");
  assertEquals([conditionInputs(capture, 3), conditionInputs(capture, 3, { labels: 0 })], [{}, {}]);
  assertEquals(capture.inputs, []);
  const { labels, augment } = conditionInputs(capture, 3, { labels: 10, augment: 2 });
  assertEquals([labels?.shape, labels?.dtype, augment?.shape, augment?.dtype], [
    ...[[3], "u32", [3, 2], "f32"],
  ]);
});

Deno.test("conditionValues() gives classes and rows of numbers, and zeros for what nobody knows", () => {
  const conditioning = { labels: 10, augment: 2 };
  const known = { labels: (i: number) => i + 7, augment: (i: number) => [i] };
  assertEquals(conditionValues(3, conditioning, known), {
    labels: Uint32Array.of(7, 8, 9),
    augment: Float32Array.of(0, 0, 1, 0, 2, 0),
  });
  assertEquals(conditionValues(2, { labels: 3 }), { labels: new Uint32Array(2) });
  assertEquals(conditionValues(2, { labels: 0 }, known), {});
});
