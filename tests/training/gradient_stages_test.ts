import { imageSet } from "../../data/dataset.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { gradientStages } from "../../training/gradient_stages.ts";
import { networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

/** The smoke run's step, its gradients to be ready in so many stages. */
async function recorded(stages: number) {
  const gpu = await testGpu();
  const config = await smokeConfig();
  const size = { height: 16, width: 16, channels: 1 };
  const blank = { images: new Uint8Array(16 * 16), labels: new Uint8Array(1), count: 1 };
  const images = imageSet("blank", { ...blank, ...size });
  const { gradients, state } = Trainer.record(gpu, config, networkOf(config), images, [], stages);
  const slots = [...state.grads.tensors.values()];
  return { dispatches: gradients.dispatches, slots, done: () => state.destroy() };
}

const holds = (outer: TensorRef, inner: TensorRef) =>
  outer.storage === inner.storage && outer.byteOffset <= inner.byteOffset &&
  inner.byteOffset + 4 * sizeOf(inner.shape) <= outer.byteOffset + 4 * sizeOf(outer.shape);

Deno.test("gradientStages() hands out each gradient once, a good part of them early", async () => {
  const { dispatches, slots, done } = await recorded(4);
  const stages = gradientStages(dispatches, slots, 4);
  assert(stages.length > 1 && stages.length <= 4, `${stages.length} stages`);
  assertEquals(stages.at(-1)!.end, dispatches.length);
  const ends = stages.map(({ end }) => end);
  assertEquals(ends, [...new Set(ends)].sort((a, b) => a - b));
  const ready = stages.flatMap(({ ready }) => ready);
  for (const slot of slots) {
    assertEquals(ready.filter((stretch) => holds(stretch, slot)).length, 1, slot.label);
  }
  const all = slots.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const shares = stages.map(({ ready }) =>
    ready.reduce((sum, { shape }) => sum + sizeOf(shape), 0) / all
  );
  assert(shares[0]! > 0.2 && shares.every((share) => share < 0.6), shares.join());
  done();
});

Deno.test("gradientStages() has one stage where one is asked for", async () => {
  const { dispatches, slots, done } = await recorded(1);
  const [stage, ...others] = gradientStages(dispatches, slots, 1);
  assertEquals([stage!.end, stage!.ready.length, others], [dispatches.length, 1, []]);
  done();
});
