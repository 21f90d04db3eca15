import { examineAdapter, examineConfig, examineLimits } from "../../../commands/doctor/adapter.ts";
import { networkOf } from "../../../training/run.ts";
import { planStep } from "../../../training/step_plan.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { pretending } from "../../support/wide_gpu.ts";
import { inFolder } from "../../support/folder.ts";
import { smokeConfig } from "../../support/runs.ts";

Deno.test("examineAdapter() tells the adapter and each feature", async () => {
  const findings = examineAdapter(await testGpu());
  assertEquals(findings.map(({ name }) => name), [
    "adapter",
    "subgroups",
    "timestamp-query",
    "shader-f16",
    "matrix units",
  ]);
});

Deno.test("examineAdapter() says that slow broadcasts are avoided", async () => {
  const gpu = pretending(await testGpu(), "subgroupSize", 4);
  for (const slow of [true, false]) {
    const [, subgroups] = examineAdapter(pretending(gpu, "slowBroadcasts", slow));
    assertEquals(/slow and avoided/.test(subgroups!.text), slow);
  }
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

/** Four GiB for a concatenation, which is over every adapter's limit. */
const WIDE = {
  data: { name: "synthetic", size: 32, synthetic: { count: 8192 } },
  model: { channels: 64, channelMultipliers: [1, 1, 1, 1], attentionLevels: [], blocks: 1 },
  train: { batchSize: 8192 },
};

Deno.test("examineConfig() offers parts to a config that is over a limit", async () => {
  const { finding, plan } = await examined(WIDE);
  assertEquals(finding.status, "warn");
  assertMatch(finding.text, /would have .* [MG]iB, and a binding of this adapter may have/);
  assert(plan !== null && plan.accumulate > 1);
  assertStringIncludes(finding.remedy ?? "", `--train.accumulate=${plan.accumulate}: the same`);
  const gpu = await testGpu();
  const limits = examineLimits(gpu, [plan]);
  assert(limits.every(({ status }) => status === "ok" || status === "note"));
});

Deno.test("examineConfig() says when no number of parts fits", async () => {
  const { finding, plan } = await examined({ ...WIDE, train: { batchSize: 2 } }, 1 << 20);
  assertEquals([finding.status, plan], ["warn", null]);
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
  const config = await smokeConfig();
  const plan = planStep({ gpu, config, network: networkOf(config) });
  const findings = examineLimits(gpu, [{ ...plan, largest: { label: "x", bytes: 2 ** 40 } }]);
  const warned = findings.filter(({ status }) => status === "warn");
  assertEquals(warned.map(({ name }) => name), ["largest binding"]);
});
