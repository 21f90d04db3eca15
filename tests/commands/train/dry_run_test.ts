import { loadConfig } from "../../../config/load.ts";
import { fitText, planText, tellDryRun } from "../../../commands/train/dry_run.ts";
import { networkOf } from "../../../training/run.ts";
import { planStep } from "../../../training/step_plan.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { ROOT, smokeConfig } from "../../support/runs.ts";

Deno.test("planText() shows the peak and the biggest holders of config/cifar10.json at batch 128", async () => {
  const gpu = await testGpu();
  const config = await loadConfig(`${ROOT}config/cifar10.json`);
  const plan = planStep({ gpu, config, network: networkOf(config) }, true);
  const text = planText(plan);
  assertMatch(text, /^step +128 images, \d+ dispatches, 4,7\d\d GFLOP\n/);
  assertMatch(text, /│ two moments of the optimiser +│ +272\.7 │/);
  const peak = (plan.memory.peakBytes / 2 ** 20).toFixed(1).replace(/\.0$/, "");
  assertStringIncludes(text, `│ ${peak.padStart(7)} │\n│ activations without sharing`);
  const rows = text.slice(text.indexOf("biggest at the peak")).split("\n").slice(2, -1);
  assertEquals(rows.length, 8);
  const sizes = rows.map((row) => Number(row.split("│")[4]));
  assert(sizes.every((size, i) => size > 0 && size <= (sizes[i - 1] ?? Infinity)), `${sizes}`);
});

Deno.test("fitText() says what a step is over, and what fits", async () => {
  const gpu = await testGpu();
  const config = await smokeConfig();
  const asIs = planStep({ gpu, config, network: networkOf(config) });
  const fit = { asIs, reason: null, fitting: asIs };
  assertEquals(fitText(fit), planText(asIs));
  const fitting = { ...asIs, accumulate: 4, images: 1 };
  assertMatch(
    fitText({ ...fit, reason: "concat is large", fitting }),
    /\n4 images at once do not fit: concat is large; use --train\.accumulate=4: the same batch, 1 images at once, [\d.]+ KiB of activations$/,
  );
  assertMatch(
    fitText({ asIs: null, reason: "it is large", fitting: null }),
    /^The step does not fit: it is large; use a smaller network, .*$/,
  );
});

Deno.test("fitText() counts previews, or says why there are none", async () => {
  const config = await smokeConfig();
  const asIs = planStep({ gpu: await testGpu(), config, network: networkOf(config) });
  const fit = { asIs, reason: null, fitting: asIs };
  const bytes = 3 << 20;
  assertMatch(
    fitText(fit, { batch: 16, bytes, together: true }),
    /│ previews, 16 images at once +│ +3 │\n/,
  );
  assertMatch(
    fitText(fit, { batch: 1, bytes, together: true }),
    /│ previews, 1 image at once +│ +3 │\n/,
  );
  assertEquals(fitText(fit, "No room"), `${planText(asIs)}\nNo room`);
});

Deno.test("tellDryRun() plans 512x512, and previews unless they are off", async () => {
  for (const every of [1, 0]) {
    const config = await smokeConfig(
      ...["data.size=512", "model.channelMultipliers=[1,1,1,1,1,1]", "model.attentionLevels=[]"],
      ...["model.channels=4", "train.batchSize=1", `train.sampleEvery=${every}`],
    );
    const lines: string[] = [];
    await tellDryRun({ config, mode: "off", say: (line) => lines.push(line) });
    const text = lines.join("\n");
    assertStringIncludes(text, "activations at the peak");
    assertEquals(text.includes("│ previews, "), every === 1);
  }
});

Deno.test("tellDryRun() tells of network, adapter and step, and takes no memory", async () => {
  const lines: string[] = [];
  const config = await smokeConfig("train.accumulate=2");
  await tellDryRun({ config, mode: "off", say: (line) => lines.push(line) });
  const text = lines.join("\n");
  assertStringIncludes(text, "44,969 parameters");
  assertStringIncludes(text, `adapter   ${(await testGpu()).description}`);
  assertMatch(text, /step +4 images in 2 parts of 2, \d+ dispatches/);
  assert(!text.includes("not fit"));
});

Deno.test("train --dry-run without an adapter tells of the config and the network alone", {
  // Elsewhere adapters cannot be hidden.
  ignore: Deno.build.os !== "linux",
}, async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "train.ts", "--config", "config/smoke.json", "--dry-run"],
    cwd: ROOT,
    env: { NO_COLOR: "1", VK_DRIVER_FILES: "/none", VK_ICD_FILENAMES: "/none" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals([code, JSON.parse(decoder.decode(stdout)).train.steps], [0, 6]);
  const told = decoder.decode(stderr);
  assertStringIncludes(told, "44,969 parameters");
  assertStringIncludes(told, "note: the step is not planned: Cannot open a GPU");
});
