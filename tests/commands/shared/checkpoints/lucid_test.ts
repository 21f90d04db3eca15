import { recognise } from "../../../../commands/shared/checkpoints/code_bases.ts";
import { exportLucid, importLucid } from "../../../../commands/shared/checkpoints/lucid.ts";
import { type Source, sourceOf } from "../../../../commands/shared/checkpoints/source.ts";
import { parseConfig } from "../../../../config/load.ts";
import { makeSchedule } from "../../../../diffusion/schedules/registry.ts";
import { LOG_SNR_ENDS } from "../../../../diffusion/schedules/learned.ts";
import { LogSnr } from "../../../../model/log_snr.ts";
import { logSnrNames } from "../../../../model/names/log_snr.ts";
import { toPytorch } from "../../../../model/names/pytorch.ts";
import { lucidNames } from "../../../../model/networks/lucid/names.ts";
import type { LucidOptions } from "../../../../model/networks/lucid/options.ts";
import { LucidUNet } from "../../../../model/networks/lucid/unet.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { randomValues } from "../../../support/gpu.ts";
import { savedF32, type SavedTensor, torchZip } from "../../../support/torch_file.ts";

const optionsOf = (model: Record<string, unknown>) => {
  const tree = { data: { name: "mnist" }, model: { name: "lucid", channels: 8, ...model } };
  return parseConfig(JSON.stringify(tree), { path: "test" }).model as LucidOptions;
};

/** The file of their trainer: a network in its diffusion, and its average. */
function trained(options: LucidOptions, channels = 1, outputs?: number): Source {
  const shape = { height: 28, width: 28, channels, outputs, timesteps: 1000 };
  const network = new LucidUNet(options, shape);
  const weights = (seed: number) =>
    lucidNames(network).map((entry, i): [string, SavedTensor] => {
      assert(entry.kind === "parameter");
      const count = entry.shape.reduce((product, n) => product * n, 1);
      const { shape, data } = toPytorch(entry, randomValues(count, 100 * seed + i));
      return [`model.${entry.pytorchName}`, savedF32(shape, data)];
    });
  const kept = makeSchedule({ timesteps: 100, schedule: "cosine", betaStart: 0, betaEnd: 0 })
    .levels.map(({ signal }) => signal ** 2);
  const diffusion = (seed: number) => [
    ...["alphas_cumprod", "loss_weight"].map((name): [string, SavedTensor] => [
      name,
      savedF32([100], kept),
    ]),
    ...weights(seed),
  ];
  const average = diffusion(2).map(([name, tensor]) => [`ema_model.${name}`, tensor] as const);
  const file = torchZip(
    new Map<string, Parameters<typeof torchZip>[0]>([
      ["model", new Map(diffusion(1))],
      ["ema", new Map(average)],
    ]),
  );
  return sourceOf("model-1.pt", file);
}

for (
  const [title, model] of [
    ["memories and learned Fourier features", {
      ...{ channelMultipliers: [1, 2], heads: [2, 3], headChannels: [4, 6], fullAttention: [0] },
      ...{ timeFeatures: "learned", selfCondition: true, initialChannels: 12 },
    }],
    ["classes", { style: "classes", channelMultipliers: [1, 2], classes: 5, labelDropout: 0.5 }],
  ] as const
) {
  Deno.test(`importLucid() takes weights and averages over, and exportLucid() gives the same bytes back, with ${title}`, async () => {
    const options = optionsOf(model);
    const source = trained(options), lines: string[] = [];
    const known = { known: "lucid", title: "lucidrains/denoising-diffusion-pytorch" } as const;
    assertEquals(recognise(source), known);
    const taken = importLucid(source, { overrides: [], say: (line) => lines.push(line) });
    assertEquals<unknown>(taken.config.model, options);
    const { timesteps, schedule, target } = taken.config.diffusion;
    assertEquals([timesteps, schedule, target], [100, "cosine", "v"]);
    assert(lines[0]!.startsWith("Recognised lucidrains"), lines.join());
    const { tensors } = exportLucid(taken, "all");
    assertEquals(tensors.length, source.tensors.size - 4);
    for (const [name, tensor] of tensors) {
      const { shape, data } = await tensor.read();
      const before = source.tensors.get(name)!.read();
      assertEquals([shape, data], [before.shape, before.data], name);
    }
  });
}

for (const [channels, selfCondition] of [[1, false], [3, false], [3, true]] as const) {
  Deno.test(`importLucid() recognises a weighted objective of ${channels} channels by its outputs${selfCondition ? ", self-conditioned" : ""}`, async () => {
    const options = optionsOf({ channelMultipliers: [1, 2], selfCondition });
    const source = trained(options, channels, 2 * channels + 2);
    const taken = importLucid(source, { overrides: [] });
    const { model, diffusion: { target, schedule } } = taken.config;
    assertEquals([target, schedule], ["dual-output", "cosine"]);
    assertEquals((model as LucidOptions).selfCondition, selfCondition);
    assertEquals((taken.network as LucidUNet).shape.outputs, 2 * channels + 2);
    for (const [name, tensor] of exportLucid(taken, "all").tensors) {
      const { shape, data } = await tensor.read();
      const before = source.tensors.get(name)!.read();
      assertEquals([shape, data], [before.shape, before.data], name);
    }
  });
}

Deno.test("importLucid() takes a learned noise schedule over, and exportLucid() gives the same bytes back", async () => {
  const model = { channelMultipliers: [1, 2], timeFeatures: "learned" };
  const fixed = trained(optionsOf(model)), hidden = 7;
  const network = new LogSnr({ ...LOG_SNR_ENDS, hidden, gradientShare: 1 });
  const schedule = ["model.", "ema.ema_model."].flatMap((before, set) =>
    logSnrNames(network).map((entry, i) => {
      const count = entry.shape.reduce((product, n) => product * n, 1);
      const { shape, data } = toPytorch(entry, randomValues(count, 50 * set + i + 1));
      const stored = { dtype: "F32", shape, data } as const;
      return [`${before}${entry.pytorchName}`, { ...stored, read: () => stored }] as const;
    })
  );
  const tables = [...fixed.tensors].filter(([name]) => !/alphas_cumprod|loss_weight/.test(name));
  const source = { ...fixed, tensors: new Map([...tables, ...schedule]) };
  const lines: string[] = [];
  const taken = importLucid(source, { overrides: [], say: (line) => lines.push(line) });
  const { diffusion } = taken.config;
  assertEquals([diffusion.schedule, diffusion.scheduleOptions.hidden], ["learned", hidden]);
  assert(!lines.join().includes("left out"), lines.join());
  const { tensors } = exportLucid(taken, "all");
  assertEquals(tensors.map(([name]) => name).sort(), [...source.tensors.keys()].sort());
  for (const [name, tensor] of tensors) {
    const { shape, data } = await tensor.read();
    const before = source.tensors.get(name)!.read();
    assertEquals([shape, data], [before.shape, before.data], name);
  }
});

Deno.test("importLucid() refuses images of other channels, and a network that lacks a tensor", () => {
  const options = optionsOf({ channelMultipliers: [1, 2] });
  assertThrows(
    () => importLucid(trained(options, 5), { overrides: [] }),
    RangeError,
    "its images must have 1 or 3 channels, the network takes 5 and gives 5",
  );
  const whole = trained(options);
  const tensors = new Map([...whole.tensors].filter(([name]) => !name.endsWith("mid_attn.mem_kv")));
  assertThrows(
    () => importLucid({ ...whole, tensors }, { overrides: [] }),
    RangeError,
    "mid_attn.mem_kv",
  );
});
