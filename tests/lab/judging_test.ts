import { join } from "node:path";
import { evaluate, loadData, loadFeatures, showSet, statistics } from "../../lab.ts";
import { slicePixels } from "../../metrics/judges/features/features.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { inFolderWithCache } from "../support/runs.ts";

const SHAPES = {
  name: "synthetic",
  size: 8,
  holdout: 8,
  synthetic: { kind: "shapes", channels: 1, count: 64 },
} as const;

Deno.test("evaluate() judges images against a set, its statistics and their file alike", () =>
  inFolderWithCache(async (folder) => {
    const gpu = await testGpu(), lines: string[] = [];
    const set = await loadData(SHAPES);
    const path = join(folder, "classifier.safetensors");
    const say = (line: string) => void lines.push(line);
    const features = await loadFeatures({ of: set, steps: 2, path, gpu, say });
    const again = await loadFeatures({ of: set, path, gpu, say });
    assertEquals(lines.length, 2, lines.join("\n"));
    const half = slicePixels(set, 0, 32);
    const judged = await evaluate(half, set, { features, say });
    assertEquals(judged.map(({ key }) => key), ["frechetDistance", "inceptionScore"]);
    assert(judged.every(({ value }) => Number.isFinite(value)) && judged[0]!.value > 0);
    const file = join(folder, "deep", "set.npz");
    const moments = await statistics(set, features, file);
    assertEquals([moments.count, moments.dimension], [64, features.dimension]);
    for (const reference of [moments, file]) {
      assertEquals(await evaluate(half, reference, { features: again, say }), judged);
    }
    // Images are at no distance from themselves.
    const [self] = await evaluate(set, set, { features, metrics: ["fid"] });
    assert(Math.abs(self!.value) < 1e-6, `${self!.value}`);
    const [spectral] = await evaluate(half, set, { features: null, metrics: ["spectrum"], say });
    assertEquals([spectral?.key, spectral?.features], ["spectralDistance", null]);
    await assertRejects(() => evaluate(half, set, { features: null }), RangeError, "features must");
    features.destroy();
    again.destroy();
  }));

Deno.test("loadFeatures() wants a set with classes, or Inception", async () => {
  const gpu = await testGpu(), say = () => {};
  await assertRejects(() => loadFeatures({ gpu, say }), RangeError, "`of` a data set");
  const field = await loadData({ name: "synthetic", size: 8 });
  await assertRejects(() => loadFeatures({ of: field, gpu, say }), UsageError, "classes");
  assert(showSet(field, 4).png.length > 100);
});
