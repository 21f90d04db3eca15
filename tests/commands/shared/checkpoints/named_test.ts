import { join } from "node:path";
import { writeModel } from "../../../../commands/shared/checkpoints/portable.ts";
import { parseConfig } from "../../../../config/load.ts";
import { readSafetensors } from "../../../../formats/safetensors.ts";
import { namedParameters } from "../../../../model/module.ts";
import { networkOf } from "../../../../training/run.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { convertTo } from "../../../support/convert.ts";
import { inFolder } from "../../../support/folder.ts";
import { randomValues } from "../../../support/gpu.ts";

const DDIM = { name: "ddim", steps: 2, eta: 0, spacing: "truncated" };
const CLASSES = { classes: 6, labelDropout: 0.1 };
const MODELS: readonly Readonly<Record<string, unknown>>[] = [
  {
    ...{ name: "edm", architecture: "song", channels: 4, channelMultipliers: [1, 2], blocks: 1 },
    ...{ attentionLevels: [1], ...CLASSES },
  },
  {
    ...{ name: "edm2", channels: 4, channelMultipliers: [1, 2], blocks: 1, attentionLevels: [1] },
    ...{ headChannels: 4, ...CLASSES, uncertaintyFeatures: 6 },
  },
  {
    ...{ name: "lucid-karras", channels: 4, mostChannels: 8, halvings: 1, blocks: 1 },
    ...{ attentionSizes: [4], fourierChannels: 4, headChannels: 4, classes: 6 },
  },
  { name: "unrolled", stages: 2, blocks: [1, 1], channels: [8, 4], groups: 4 },
  { name: "full", channels: 4, channelMultipliers: [1, 2], timeChannels: 6 },
  { name: "lucid", channels: 8, channelMultipliers: [1, 2], heads: [2, 2], headChannels: [4, 4] },
  { name: "lucid", style: "flax", channels: 8, channelMultipliers: [1, 2], cosineAxis: "tokens" },
];

/** A config of ours, and a checkpoint of it in which all values differ. */
async function written(path: string, model: Readonly<Record<string, unknown>>) {
  const unrolled = model.name === "unrolled"
    ? { objective: "unrolled", clipX0: false, sampler: DDIM }
    : {};
  const tree = {
    data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
    model,
    diffusion: { timesteps: 20, ...unrolled },
    train: { batchSize: 4 },
  };
  const config = parseConfig(JSON.stringify(tree), { path: "test" }), network = networkOf(config);
  const places = new Map(Array.from(namedParameters(network), ([name, { shape }], i) => [
    name,
    { seed: i + 1, count: shape.reduce((product, n) => product * n, 1) },
  ]));
  const reader = (offset: number) => (name: string) => {
    const { seed, count } = places.get(name)!;
    return Promise.resolve(randomValues(count, seed + offset));
  };
  await writeModel(path, {
    ...{ config, network, step: 3, moments: null, extras: [] },
    ...{ weights: reader(0), ema: reader(1000) },
  });
}

for (const model of MODELS) {
  const title = [model.name, model.style].filter(Boolean).join(", ");
  Deno.test(`convert writes a network ${title} for its own code base, and takes it back unchanged`, () =>
    inFolder(async (folder) => {
      const at = (name: string) => join(folder, `${name}.safetensors`);
      await written(at("ours"), model);
      await convertTo(at("ours"), at("theirs"), { to: "pytorch" });
      await convertTo(at("theirs"), at("again"));
      const tensorsOf = async (name: string) =>
        readSafetensors(await Deno.readFile(at(name))).tensors;
      const before = await tensorsOf("ours"), after = await tensorsOf("again");
      const names = [...before.keys()].filter((name) => /^(ema|weights|model)\//.test(name));
      assert(names.length > 20, `${[...before.keys()]}`);
      for (const name of names) assertEquals(after.get(name), before.get(name), name);
    }));
}

Deno.test("importNamed() refuses a file that lacks a tensor of its config's network", () =>
  inFolder(async (folder) => {
    const at = (name: string) => join(folder, `${name}.safetensors`);
    await written(at("ours"), MODELS[1]!);
    await convertTo(at("ours"), at("theirs"), { to: "pytorch", weights: "ema" });
    const bytes = await Deno.readFile(at("theirs"));
    const text = new TextDecoder("latin1").decode(bytes);
    for (const name of ["unet.out_gain", "unet.emb_noise.weight"]) {
      const changed = text.replace(`"${name}"`, `"${name.slice(0, -1)}x"`);
      await Deno.writeFile(at("theirs"), Uint8Array.from(changed, (c) => c.charCodeAt(0)));
      await assertRejects(() => convertTo(at("theirs"), at("again")), Error, name);
    }
  }));
