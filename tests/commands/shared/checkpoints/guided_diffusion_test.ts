import { join } from "node:path";
import {
  exportGuided,
  importGuided,
} from "../../../../commands/shared/checkpoints/guided_diffusion.ts";
import type { PortableModel } from "../../../../commands/shared/checkpoints/portable.ts";
import { readSource, writeTensors } from "../../../../commands/shared/checkpoints/source.ts";
import { parseConfig } from "../../../../config/load.ts";
import { guidedNames } from "../../../../model/networks/guided/names/guided_diffusion.ts";
import { guidedFromShapes } from "../../../../model/networks/guided/names/shapes.ts";
import type { GuidedOptions } from "../../../../model/networks/guided/options.ts";
import { GuidedUNet } from "../../../../model/networks/guided/unet.ts";
import { namedParameters } from "../../../../model/module.ts";
import { sizeOf } from "../../../../device/tensor.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { randomValues } from "../../../support/gpu.ts";

const configOf = (model: Record<string, unknown>, data: Record<string, unknown> = {}) =>
  parseConfig(
    JSON.stringify({
      data: { name: "synthetic", size: 8, synthetic: { channels: 1, count: 8 }, ...data },
      model: {
        name: "guided",
        channels: 32,
        channelMultipliers: [1, 2],
        attentionFactors: [2],
        ...model,
      },
      diffusion: { timesteps: 50, schedule: "cosine" },
      train: { batchSize: 4, evalEvery: 0 },
    }),
    { path: "test" },
  );

const VARIETIES: readonly Record<string, unknown>[] = [
  {},
  { convResample: false, blocks: 3, channelMultipliers: [1, 2, 2], attentionFactors: [1, 4] },
  { blockResample: true, scaleShift: true, blocks: 2, classes: 7, attentionFactors: [] },
  { blockResample: true, convResample: false, channelMultipliers: [1, 1, 3], blocks: 1 },
  { channels: 64, channelMultipliers: [0.5, 1, 1.5], learnedVariance: true },
  { channelMultipliers: [2], attentionFactors: [1] },
];

const shapesOf = (network: GuidedUNet) =>
  new Map(guidedNames(network).map((e) => [e.pytorchName, { shape: e.pytorchShape }]));

for (const variety of VARIETIES) {
  for (const dims of [1, 2, 3] as const) {
    Deno.test(`guidedFromShapes() finds the options of ${JSON.stringify(variety)} over ${dims} axes`, () => {
      const options = { ...configOf(variety).model, dims } as GuidedOptions;
      const found = guidedFromShapes(
        shapesOf(new GuidedUNet(options, { channels: 3, timesteps: 9 })),
      );
      const { heads: _, headsUp: __, headChannels: ___, qkvOrder: ____, ...rest } = options;
      // Keys that every network has, and that leave no trace in its shapes.
      const { latent: _____, lora: ______, ...told } = rest as typeof rest & {
        latent: unknown;
        lora: unknown;
      };
      // Blocks that resample leave no trace of what stood in their place.
      const convResample = told.convResample && !told.blockResample &&
        told.channelMultipliers.length > 1;
      assertEquals({ ...found.options }, { ...told, convResample });
      assertEquals(found.channels, 3);
    });
  }
}

Deno.test("guidedFromShapes() refuses shapes of other networks", () => {
  const options = configOf({}).model as GuidedOptions;
  const shapes = shapesOf(new GuidedUNet(options, { channels: 3, timesteps: 9, outputs: 4 }));
  assertThrows(() => guidedFromShapes(shapes), RangeError, "must give 3 or 6 channels, got 4");
  assertThrows(
    () => guidedFromShapes(new Map([["input_blocks.0.0.weight", { shape: [8, 3, 3, 3] }]])),
    RangeError,
    "time_embed.0.weight must be there, got none",
  );
});

/** A model of random weights. */
function modelOf(
  model: Record<string, unknown>,
  data: Record<string, unknown> = {},
): PortableModel {
  const config = configOf(model, data);
  const options = config.model as GuidedOptions;
  const network = new GuidedUNet(options, { channels: 1, timesteps: 50 });
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const names = [...shapes.keys()];
  const reader = (seed: number) => (name: string) =>
    Promise.resolve(randomValues(sizeOf(shapes.get(name)!), seed + names.indexOf(name)));
  return {
    config,
    network,
    step: 7,
    weights: reader(1),
    ema: reader(99),
    moments: null,
    extras: [],
  };
}

for (
  const [choice, model, data] of [
    ["all", { headChannels: null, heads: 2, qkvOrder: "all-queries-first" }, {}],
    ["ema", { groups: 16, headChannels: 16, dropout: 0.1 }, { size: 16 }],
    ["raw", { dims: 1 }, { synthetic: { channels: 1, count: 8, dims: 1 } }],
  ] as const
) {
  Deno.test(`exportGuided() writes ${choice} weights that importGuided() takes back unchanged`, () =>
    inFolder(async (folder) => {
      const given = modelOf(model, data);
      const path = join(folder, "x.safetensors");
      const { tensors, metadata } = exportGuided(given, choice);
      assert(tensors.every(([name]) => choice !== "all" || /^(model|ema)\./.test(name)));
      await writeTensors(path, tensors, metadata);
      const lines: string[] = [];
      const back = importGuided(await readSource(path), {
        overrides: [],
        say: (line) => lines.push(line),
      });
      assertEquals(back.config.model, given.config.model);
      assertEquals(back.config.diffusion, given.config.diffusion);
      assertEquals(back.config.data.size, given.config.data.size);
      assert(lines.every((line) => !line.startsWith("note")), lines.join("\n"));
      for (const [name] of namedParameters(given.network)) {
        const [weights, ema] = [await given.weights(name), await given.ema(name)];
        assertEquals(await back.weights(name), choice === "ema" ? ema : weights, name);
        assertEquals(await back.ema(name), choice === "raw" ? weights : ema, name);
      }
    }));
}

Deno.test("importGuided() says what it assumes of a bare state_dict, and overrides set it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "x.safetensors");
    const { tensors } = exportGuided(modelOf({}), "raw");
    await writeTensors(path, tensors, { format: "pt" });
    const lines: string[] = [];
    const { config } = importGuided(await readSource(path), {
      overrides: [["model.headChannels", "16"], ["data.size", "32"]],
      say: (line) => lines.push(line),
    });
    assertEquals((config.model as GuidedOptions).headChannels, 16);
    assertEquals(config.data.name, "mnist");
    assert(
      lines.some((line) =>
        line.includes("tells neither heads nor process; taking model.headChannels 16")
      ),
    );
  }));
