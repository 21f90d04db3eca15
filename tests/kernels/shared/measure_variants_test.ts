import { isCpu } from "../../../device/cpu_lanes.ts";
import { Capture } from "../../../device/capture.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { collectOps, tuneVariants } from "../../../kernels/shared/measure_variants.ts";
import { recordVariant, type Variant, variantPolicy } from "../../../kernels/shared/variants.ts";
import { assertEquals } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";

/** A variant that takes `passes` passes over x. */
function passes(
  x: TensorRef,
  count: number,
  family: Variant["family"],
  log: string[] = [],
): Variant {
  return {
    family,
    name: `${family}${count}`,
    record(capture: Capture) {
      log.push(this.name);
      let y = x;
      for (let i = 0; i < count; i++) y = scaleForward(capture, y, 2);
      return y;
    },
  };
}

Deno.test("collectOps() lists the variants of each op that is recorded, the default first", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const x = capture.transient([4], "x");
  const variants = [passes(x, 1, "plain"), passes(x, 1, "tiled"), passes(x, 2, "tiled")];
  const ops = collectOps(gpu, () => {
    recordVariant(capture, "op 1", variants);
    recordVariant(capture, "op 2", variants.slice(0, 1));
  });
  assertEquals([...ops].map(([key, list]) => [key, ...list.map(({ name }) => name)]), [
    ["op 1", "tiled1", "plain1", "tiled2"],
    ["op 2", "plain1"],
  ]);
  // The policy is what it was before.
  assertEquals(variantPolicy(gpu).observe, undefined);
});

Deno.test("tuneVariants() finds the fastest over tensors that have no memory", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "never planned");
  const x = capture.transient([1 << 18], "x");
  const persistent = upload(gpu, [1 << 18], new Float32Array(1 << 18).fill(3));
  const before = gpu.counters.bufferBytes;
  const ops = new Map([
    ["op 1", [passes(x, 8, "tiled"), passes(x, 1, "subgroup"), passes(x, 20, "subgroup")]],
    ["op 2", [passes(persistent, 1, "tiled"), passes(persistent, 9, "subgroup")]],
  ]);
  const said: string[] = [];
  const options = { budgetMs: 60_000, say: (line: string) => void said.push(line) };
  const table = await tuneVariants(gpu, ops, options);
  assertEquals([...table], [["op 1", "subgroup1"], ["op 2", "tiled1"]]);
  assertEquals(said, ["op 1: subgroup1", "op 2: tiled1"]);
  assertEquals(gpu.counters.bufferBytes, before);
  assertEquals((await gpu.readF32(persistent))[0], 3);
  gpu.destroyTensor(persistent);
});

Deno.test("tuneVariants() leaves small ops of a CPU driver to the rules", async () => {
  const gpu = await testGpu();
  if (!isCpu(gpu)) return;
  const log: string[] = [];
  const x = new Capture(gpu, "never planned").transient([4], "x");
  const ops = new Map([["op", [passes(x, 3, "tiled", log), passes(x, 1, "subgroup", log)]]]);
  // Another program on the machine may make it look large, so that it is measured after all.
  for (let i = 0; i < 20 && log.join() !== "tiled3"; i++) {
    log.length = 0;
    await tuneVariants(gpu, ops, { budgetMs: 1000 });
  }
  assertEquals(log, ["tiled3"]);
});

Deno.test("tuneVariants() keeps what is known and begins nothing after its time", async () => {
  const gpu = await testGpu();
  const log: string[] = [];
  const x = new Capture(gpu, "never planned").transient([4], "x");
  const ops = new Map([["op 1", [passes(x, 1, "tiled", log), passes(x, 1, "plain", log)]]]);
  const known = new Map([["op 1", "plain1"], ["op 0", "gone"]]);
  assertEquals(await tuneVariants(gpu, ops, { budgetMs: 1000, known }), known);
  assertEquals(await tuneVariants(gpu, ops, { budgetMs: 0 }), new Map());
  assertEquals(log, []);
});

Deno.test("tuneVariants() measures nothing hopeless, and nothing where one variant is left", async () => {
  const gpu = await testGpu();
  const log: string[] = [];
  const x = new Capture(gpu, "never planned").transient([4], "x");
  const hopeless = { ...passes(x, 1, "tiled", log), hopeless: true };
  const ops = new Map([
    ["op 1", [passes(x, 1, "subgroup", log), hopeless]],
    ["op 2", [hopeless]],
  ]);
  assertEquals([...await tuneVariants(gpu, ops, { budgetMs: 0 })], [["op 1", "subgroup1"]]);
  assertEquals(log, []);
});
