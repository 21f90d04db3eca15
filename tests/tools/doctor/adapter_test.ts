import { examineAdapter, examineConfig, examineLimits } from "../../../tools/doctor/adapter.ts";
import { fitConfig, stepNeeds } from "../../../tools/doctor/needs.ts";
import { networkOf } from "../../../training/run.ts";
import { Trainer } from "../../../training/trainer.ts";
import { loadImages } from "../../../data/registry.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { inFolder, smokeConfig } from "../../support/runs.ts";

Deno.test("examineAdapter() tells the adapter and each feature", async () => {
  const findings = examineAdapter(await testGpu());
  assertEquals(findings.map(({ name }) => name), [
    "adapter",
    "subgroups",
    "timestamp-query",
    "shader-f16",
  ]);
});

Deno.test("stepNeeds() is close to what a trainer plans, and allocates next to nothing", async () => {
  const gpu = await testGpu();
  const config = await smokeConfig();
  const before = gpu.counters.bufferBytes;
  const needs = stepNeeds(gpu, config);
  // A table of time embeddings, which networks keep.
  assert(gpu.counters.bufferBytes - before < 4096);
  const images = await loadImages(config.data, "train", () => {});
  const trainer = await Trainer.create(gpu, config, networkOf(config), images);
  const { peakBytes } = trainer.memory;
  trainer.destroy();
  assert(needs.activations <= peakBytes && needs.activations > 0.8 * peakBytes);
  assert(needs.buffers >= 3 && needs.invocations >= 32 && needs.dispatches > 100);
});

Deno.test("fitConfig() finds the fewest parts within a memory", async () => {
  const gpu = await testGpu();
  const config = await smokeConfig("train.batchSize=16");
  const { state, activations } = stepNeeds(gpu, config);
  const whole = fitConfig(gpu, config);
  assertEquals(whole.fitting, whole.asIs);
  const cut = fitConfig(gpu, config, state + activations - 1);
  assertEquals(cut.asIs?.accumulate, 1);
  assertEquals(cut.fitting?.accumulate, 2);
  assertEquals(fitConfig(gpu, config, 1000).fitting, null);
});

/** Examines a config with this content. */
async function examined(content: unknown, memory = Infinity) {
  const gpu = await testGpu();
  let result: Awaited<ReturnType<typeof examineConfig>> | undefined;
  await inFolder(async (folder) => {
    const path = `${folder}/config.json`;
    await Deno.writeTextFile(path, JSON.stringify(content));
    result = await examineConfig(gpu, path, memory);
  });
  return result!;
}

/** Sixteen GiB for one tensor of all images. */
const WIDE = {
  data: { name: "synthetic", size: 64, synthetic: { count: 16384 } },
  model: { channels: 64, channelMultipliers: [1], attentionLevels: [], blocks: 1 },
  train: { batchSize: 16384 },
};

Deno.test("examineConfig() offers parts to a config that is over a limit", async () => {
  const { finding, needs } = await examined(WIDE);
  assertEquals(finding.status, "warn");
  assert(/would have .* [MG]iB, and a binding may have/.test(finding.text), finding.text);
  assert(needs !== null && needs.accumulate > 1);
  assertStringIncludes(finding.remedy ?? "", `--train.accumulate=${needs.accumulate}: the same`);
  const gpu = await testGpu();
  const limits = examineLimits(gpu, [needs]);
  assert(limits.every(({ status }) => status === "ok" || status === "note"));
});

Deno.test("examineConfig() says when no number of parts fits", async () => {
  const { finding, needs } = await examined({ ...WIDE, train: { batchSize: 2 } }, 1 << 20);
  assertEquals([finding.status, needs], ["warn", null]);
  assertStringIncludes(finding.text, "more than the 1.00 MiB available");
  assertStringIncludes(finding.remedy ?? "", "--model.channels");
});

Deno.test("examineConfig() names a key that is wrong", async () => {
  const { finding } = await examined({ train: { batchsize: 4 } });
  assertEquals(finding.status, "warn");
  assertStringIncludes(finding.text, "did you mean train.batchSize?");
});

Deno.test("examineLimits() warns of a limit below what is needed", async () => {
  const gpu = await testGpu();
  const needs = stepNeeds(gpu, await smokeConfig());
  const findings = examineLimits(gpu, [{ ...needs, binding: 2 ** 40 }]);
  const warned = findings.filter(({ status }) => status === "warn");
  assertEquals(warned.map(({ name }) => name), ["largest binding"]);
});
