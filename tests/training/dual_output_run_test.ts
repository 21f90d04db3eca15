/**
 * Runs of target dual-output: every network that can give two outputs trains, is sampled from, stops and
 * goes on to the same bytes.
 */
import { parseConfig } from "../../config/load.ts";
import { namedParameters } from "../../model/module.ts";
import type { NetworkKind } from "../../model/network.ts";
import { createNetwork, networkMisfit, NETWORKS } from "../../model/networks/registry.ts";
import { Checkpoint, stepName } from "../../training/checkpoint.ts";
import { networkOf } from "../../training/run.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { checkResumed } from "../support/network_runs.ts";
import { trainInFolder } from "../support/runs.ts";

const SMALL: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  dit: { patchSize: 2, channels: 8, depth: 1, heads: 2 },
  diffusers: {
    ...{ blockOutChannels: [8], downBlockTypes: ["DownBlock2D"], upBlockTypes: ["UpBlock2D"] },
    ...{ layersPerBlock: 1, normNumGroups: 4 },
  },
  edm: { channels: 8, channelMultipliers: [1, 2], blocks: 1, attentionLevels: [] },
  full: { channels: 4, channelMultipliers: [1, 2], timeChannels: 8 },
  edm2: { channels: 8, channelMultipliers: [1, 2], blocks: 1, attentionLevels: [] },
  guided: {
    ...{ channels: 8, channelMultipliers: [1, 1.5], attentionFactors: [2], blocks: 1, groups: 2 },
    headChannels: 4,
  },
  ho2020: { channels: 8, channelMultipliers: [1], blocks: 1, attentionLevels: [], groups: 4 },
  mlp: { width: 12, depth: 1 },
  lucid: { channels: 8, channelMultipliers: [1, 2], selfCondition: true },
  "lucid-karras": { channels: 4, mostChannels: 8, halvings: 1, blocks: 1, attentionSizes: [] },
};

const configOf = (name: string, more: Readonly<Record<string, object>> = {}) =>
  parseConfig(
    JSON.stringify({
      data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
      model: { name, ...SMALL[name], ...more.model },
      diffusion: {
        ...{ target: "dual-output", timesteps: 20, sampler: { name: "ddim", steps: 2 } },
        ...more.diffusion,
      },
      train: {
        ...{ steps: 4, batchSize: 4, sampleCount: 4, evalEvery: 4, evalCount: 4, logEvery: 1 },
        ...more.train,
      },
    }),
    { path: "test" },
  );

const KINDS = NETWORKS as unknown as Readonly<Record<string, NetworkKind<unknown>>>;

for (const [name, { anyOutputs }] of Object.entries(KINDS)) {
  if (anyOutputs) {
    Deno.test(`NETWORKS.${name} trains two outputs, is sampled from and goes on to the same bytes`, async () => {
      const { tensors, said } = await checkResumed(configOf(name));
      assert(said.includes(`network   ${name}, `), said);
      for (const [tensor, values] of tensors) {
        assert(Array.from(values).every((value) => Number.isFinite(Number(value))), tensor);
      }
    });
  } else {
    Deno.test(`NETWORKS.${name} refuses other outputs than images, and says who gives them`, () => {
      const { model } = configOf("ho2020");
      const shape = { height: 8, width: 8, channels: 1, timesteps: 20, outputs: 4 };
      const misfit = networkMisfit({ ...model, name } as typeof model, shape);
      assertEquals([misfit?.key, misfit?.hint?.startsWith("dit, diffusers, edm")], [
        "outputs",
        true,
      ]);
      assertThrows(
        () => createNetwork({ ...model, name } as typeof model, shape),
        RangeError,
        "outputs must be as many channels as the images have",
      );
    });
  }
}

Deno.test("trainRun() trains two outputs with instruments, in f16, in micro-batches and of colour", () =>
  inFolder(async (folder) => {
    if (!(await testGpu()).has("shader-f16")) return;
    const own = { ...configOf("ho2020"), instruments: undefined };
    const config = parseConfig(
      JSON.stringify({
        ...own,
        data: { ...own.data, synthetic: { kind: "shapes", channels: 3, count: 32 } },
        train: { ...own.train, accumulate: 2, precision: "f16", sampleEvery: 2 },
        diffusion: { ...own.diffusion, timestepSampler: { name: "adaptive", bins: 5 } },
      }),
      { path: "test" },
    );
    assertEquals(config.train.precision, "f16");
    const { finished, picture } = await trainInFolder(config, folder, { instruments: true });
    assert(finished && picture !== null);
    const last = await Checkpoint.open(`${folder}/checkpoints/${stepName(4)}.safetensors`);
    const stored = parseConfig(last.config, { path: "stored" });
    const parameters = new Map(namedParameters(networkOf(stored)));
    assertEquals(parameters.get("tail.conv.bias")?.shape, [8]);
  }));
