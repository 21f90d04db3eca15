import { join } from "node:path";
import { exportFull, importFull } from "../../../../commands/shared/checkpoints/full.ts";
import { recognise } from "../../../../commands/shared/checkpoints/code_bases.ts";
import { type Source, sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import { type StoredTensor, writeSafetensors } from "../../../../formats/safetensors.ts";
import { toPytorch } from "../../../../model/names/pytorch.ts";
import { fullNames } from "../../../../model/networks/full/names.ts";
import { notebookTable } from "../../../../model/networks/full/time_table.ts";
import { FullUNet } from "../../../../model/networks/full/unet.ts";
import { assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { randomValues } from "../../../support/gpu.ts";
import { convertTo } from "../../../support/convert.ts";

const OPTIONS = {
  ...{ name: "full" as const, channels: 4, channelMultipliers: [1, 2, 2], timeChannels: 6 },
  timeTable: "notebook" as const,
};

/** A state_dict of theirs, whose normalisations have seen 7 batches. */
function stateDict(channels = 3): [string, StoredTensor][] {
  const network = new FullUNet(OPTIONS, { height: 8, width: 8, channels, timesteps: 20 });
  return fullNames(network).map((entry, i): [string, StoredTensor] => {
    const { pytorchName, pytorchShape: shape } = entry;
    if (entry.kind === "parameter") {
      const count = entry.shape.reduce((product, n) => product * n, 1);
      return [pytorchName, { dtype: "F32", ...toPytorch(entry, randomValues(count, i)) }];
    }
    return [
      pytorchName,
      shape.length === 0
        ? { dtype: "I64", shape, data: BigInt64Array.of(7n) }
        : { dtype: "F32", shape, data: notebookTable(20, 6) },
    ];
  });
}

const source = (tensors = stateDict()): Source => sourceOf("x", writeSafetensors(tensors));

Deno.test("importFull() takes a network over, and a checkpoint of it goes back unchanged", () =>
  inFolder(async (folder) => {
    const at = (name: string) => join(folder, name), given = stateDict();
    await Deno.writeFile(at("theirs.safetensors"), writeSafetensors(given));
    assertEquals(recognise(source()).known, "full");
    await convertTo(at("theirs.safetensors"), at("ours.safetensors"));
    await convertTo(at("ours.safetensors"), at("back.safetensors"), {
      to: "pytorch",
      weights: "raw",
    });
    const back = sourceOf("back", await Deno.readFile(at("back.safetensors")));
    assertEquals([...back.tensors.keys()], given.map(([name]) => name));
    for (const [name, { dtype, shape, data }] of given) {
      assertEquals(back.tensors.get(name)!.read(), { dtype, shape, data }, name);
    }
    const { config } = importFull(source(), { overrides: [] });
    const { latent, lora } = config.model;
    assertEquals<unknown>(config.model, { ...OPTIONS, latent, lora });
    const { timesteps, schedule } = config.diffusion;
    assertEquals([timesteps, schedule, config.data.name], [20, "linear-torch", "cifar10"]);
    const again = importFull(back, { overrides: [] }).config;
    assertEquals({ ...again, run: config.run }, config);
  }));

Deno.test("exportFull() counts the batches of training since", async () => {
  const model = importFull(source(), { overrides: [] });
  const { tensors } = await exportFull({ ...model, step: 5 }, "ema");
  const name = "b1.0.bn.num_batches_tracked";
  const [, counted] = tensors.find(([own]) => own === name)!;
  assertEquals((await counted.read()).data, BigInt64Array.of(12n));
});

Deno.test("importFull() refuses other images, another table, and a network that lacks a tensor", () => {
  const table: StoredTensor = { dtype: "F32", shape: [20, 6], data: new Float32Array(120) };
  const cases: [[string, StoredTensor][], string][] = [
    [stateDict(4), "its images must have 1 or 3 channels, got 4"],
    [
      stateDict().map(([name, own]) => [name, name === "time_embed.weight" ? table : own]),
      "time_embed.weight must hold the notebook's table",
    ],
    [stateDict().filter(([name]) => name !== "up2.bias"), "up2.bias"],
  ];
  for (const [tensors, part] of cases) {
    assertThrows(() => importFull(source(tensors), { overrides: [] }), RangeError, part);
  }
});
