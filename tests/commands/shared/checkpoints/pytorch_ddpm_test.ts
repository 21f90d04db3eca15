import type { Override } from "../../../../config/load.ts";
import { UsageError } from "../../../../support/errors.ts";
import { NO_FLAGS, parseFlagfile } from "../../../../commands/shared/checkpoints/flagfile.ts";
import {
  exportPytorchDdpm,
  importPytorchDdpm,
} from "../../../../commands/shared/checkpoints/pytorch_ddpm.ts";
import {
  readSource,
  type Source,
  sourceOf,
  writeTensors,
} from "../../../../commands/shared/checkpoints/source.ts";
import { TIME_TABLE } from "../../../../model/networks/ho2020/names/pytorch_ddpm.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { TINY, TINY_OVERRIDES, TINY_SIZE, tinyFile } from "../../../support/pytorch_checkpoint.ts";
import { type Saved, savedF32, torchZip } from "../../../support/torch_file.ts";
import { unetOptions } from "../../../model/networks/ho2020/options.ts";

const OPTIONS = { flags: NO_FLAGS, overrides: [...TINY_OVERRIDES] };

function source(changes?: ReadonlyMap<string, Saved>): Source {
  return sourceOf("ckpt.pt", tinyFile(changes));
}

/** A source without what `keep` refuses. */
function filtered(keep: (name: string) => boolean): Source {
  const whole = source();
  const some = <T>(map: ReadonlyMap<string, T>) => new Map([...map].filter(([name]) => keep(name)));
  return { ...whole, tensors: some(whole.tensors), facts: some(whole.facts) };
}

async function bits(tensors: ReturnType<typeof exportPytorchDdpm>["tensors"]) {
  const read: [string, string][] = [];
  for (const [name, tensor] of tensors) {
    const { shape, data } = await tensor.read();
    read.push([name, `${tensor.dtype} [${shape}] ${new Uint8Array(data.slice().buffer).join()}`]);
  }
  return new Map(read);
}

Deno.test("importPytorchDdpm() takes options, optimiser, schedule and steps from the file", () => {
  const { config, step, moments, extras } = importPytorchDdpm(source(), OPTIONS);
  assertEquals(config.model, {
    ...TINY,
    latent: { autoencoder: null, channels: 4, factor: 8 },
    lora: { rank: 0, alpha: null, layers: ["*"] },
  });
  assertEquals(config.data.size, TINY_SIZE);
  const { lr, betas, eps, warmupSteps, weightDecay } = config.optim;
  assertEquals({ lr, betas, eps, warmupSteps, weightDecay }, {
    lr: 3e-4,
    betas: [0.8, 0.99],
    eps: 1e-7,
    warmupSteps: 3,
    weightDecay: 0,
  });
  assertEquals(config.diffusion.timesteps, 20);
  assertEquals(config.diffusion.schedule, "linear-torch");
  assertEquals(step, 3);
  assert(moments);
  assertEquals(extras.map(({ name }) => name), [
    `net_model.${TIME_TABLE}`,
    `ema_model.${TIME_TABLE}`,
    "x_T",
  ]);
});

Deno.test("importPytorchDdpm() asks for groups that the file does not tell, and takes those it tells", async () => {
  const overrides = TINY_OVERRIDES.filter(([key]) => key !== "model.groups");
  const { message } = assertThrows(
    () => importPytorchDdpm(source(), { flags: NO_FLAGS, overrides }),
    UsageError,
  );
  assertEquals(
    message,
    "Cannot tell the groups of the network in ckpt.pt: a PyTorch state_dict does not hold them, and " +
      "those of w86763777/pytorch-ddpm, 32, do not divide its 8 channels; give the number that it " +
      "was trained with by --model.groups=N",
  );
  await inFolder(async (folder) => {
    const path = `${folder}/back.safetensors`;
    const { tensors, metadata } = exportPytorchDdpm(importPytorchDdpm(source(), OPTIONS), "ema");
    await writeTensors(path, tensors, metadata);
    const told = await readSource(path);
    const groupsOf = (overrides: readonly Override[]) =>
      unetOptions(importPytorchDdpm(told, { flags: NO_FLAGS, overrides }).config.model).groups;
    assertEquals(groupsOf(overrides), 4);
    assertEquals(groupsOf([...overrides, ["model.groups", "2"]]), 2);
  });
});

Deno.test("importPytorchDdpm() takes the data that a file of ours tells, and overrides go first", () =>
  inFolder(async (folder) => {
    const path = `${folder}/back.safetensors`;
    const back = async (
      overrides: readonly Override[],
      changes: Readonly<Record<string, string>> = {},
      again: readonly Override[] = [],
    ) => {
      const given = { flags: NO_FLAGS, overrides: [...TINY_OVERRIDES, ...overrides] };
      const model = importPytorchDdpm(source(), given);
      const { tensors, metadata } = exportPytorchDdpm(model, "ema");
      await writeTensors(path, tensors, { ...metadata, ...changes });
      const told = await readSource(path);
      const { data } = importPytorchDdpm(told, { flags: NO_FLAGS, overrides: again }).config;
      const { name, size, resize, flip, dir } = data;
      return { before: model.config.data, data, told: { name, size, resize, flip, dir } };
    };
    const kept = async (...overrides: Override[]) => {
      const { before, told } = await back(overrides);
      const { name, size, resize, flip } = before;
      assertEquals(told, { name, size, resize, flip, dir: null });
      return told;
    };
    const small = await kept(["data.name", "cifar100"], ["data.size", "16"], [
      "data.dir",
      "/files",
    ]);
    assertEquals([small.name, small.size], ["cifar100", 16]);
    const whole = await kept(["data.name", "svhn"], ["data.size", "null"], ["data.flip", "false"]);
    assertEquals([whole.name, whole.size], ["svhn", null]);
    await kept(["data.name", "pathmnist"], ["data.size", "100"], ["data.resize", "bicubic"]);
    await kept(["data.name", "folder"], ["data.size", "48"]);

    const { told } = await back([["data.name", "svhn"]], {}, [["data.size", "24"]]);
    assertEquals([told.name, told.size], ["svhn", 24]);
    const other = await back([["data.name", "svhn"]], {}, [["data.name", "cifar100"]]);
    assertEquals(other.told.name, "cifar100");
    const mixed = await back([["data.name", "mix"]]);
    assertEquals([mixed.told.name, mixed.told.size], ["cifar10", null]);

    for (const [key, value] of [["data.name", "nothing"], ["data.size", "-3"]] as const) {
      const { message } = await assertRejects(() => back([], { [key]: value }), UsageError);
      assertStringIncludes(message, `Cannot use config ${path}: ${key} must`);
    }
  }));

Deno.test("importPytorchDdpm() finds the warm-up that the schedule is in the middle of", () => {
  const sched = new Map<string, Saved>([["base_lrs", [3e-4]], ["_last_lr", [9e-5]]]);
  const { config } = importPytorchDdpm(source(new Map([["sched", sched]])), OPTIONS);
  assertEquals(config.optim.warmupSteps, 10);
});

Deno.test("exportPytorchDdpm() gives every tensor back, bit for bit", async () => {
  const original = source();
  const { tensors, metadata } = exportPytorchDdpm(importPytorchDdpm(original, OPTIONS), "all");
  const before = await bits(Array.from(original.tensors));
  const after = await bits(tensors);
  assertEquals([...after.keys()].sort(), [...before.keys()].sort());
  for (const [name, value] of before) assertEquals(after.get(name), value, name);
  assertEquals(metadata, {
    format: "pt",
    step: "2",
    "model.groups": "4",
    "data.name": "synthetic",
    "data.size": `${TINY_SIZE}`,
    "data.resize": "area",
    "data.flip": "true",
  });
});

Deno.test("exportPytorchDdpm() writes one set under the network's own names", async () => {
  const model = importPytorchDdpm(source(), OPTIONS);
  const whole = await bits(exportPytorchDdpm(model, "all").tensors);
  for (const [choice, prefix] of [["ema", "ema_model"], ["raw", "net_model"]] as const) {
    const some = await bits(exportPytorchDdpm(model, choice).tensors);
    assertEquals(some.size, 145);
    for (const [name, value] of some) assertEquals(value, whole.get(`${prefix}.${name}`), name);
  }
});

Deno.test("importPytorchDdpm() takes a bare state_dict, without an optimiser", async () => {
  const bare = filtered((name) => name.startsWith("ema_model."));
  const tensors = new Map(
    Array.from(bare.tensors, ([name, t]) => [name.slice("ema_model.".length), t]),
  );
  const model = importPytorchDdpm({ ...bare, tensors }, OPTIONS);
  assertEquals(model.step, 0);
  assertEquals(model.moments, null);
  const name = "head.weight";
  assertEquals(await model.weights(name), await model.ema(name));
});

Deno.test("importPytorchDdpm() names what is missing, unknown or of another shape", () => {
  const cases: [Source, string][] = [
    [filtered((name) => name !== "net_model.tail.2.bias"), "tail.2.bias of shape [3] must be"],
    [filtered((name) => name !== "ema_model.head.bias"), "head.bias of shape [8] must be there"],
    [
      filtered((name) => name !== "optim.state.5.exp_avg"),
      "moments of 144 of 145 tensors, got 143",
    ],
  ];
  for (const [some, part] of cases) {
    assertThrows(() => importPytorchDdpm(some, OPTIONS), RangeError, part);
  }
  const extra = source();
  const more = new Map([...extra.tensors, ["net_model.more", extra.tensors.get("x_T")!]]);
  assertThrows(
    () => importPytorchDdpm({ ...extra, tensors: more }, OPTIONS),
    RangeError,
    "got more",
  );
});

Deno.test("importPytorchDdpm() refuses another time embedding and steps that differ", () => {
  const whole = source();
  const name = `ema_model.${TIME_TABLE}`, { shape } = whole.tensors.get(name)!;
  const zeros = { dtype: "F32", shape, data: new Float32Array(160) } as const;
  const tensors = new Map(whole.tensors).set(name, { ...zeros, read: () => zeros });
  assertThrows(
    () => importPytorchDdpm({ ...whole, tensors }, OPTIONS),
    RangeError,
    "must hold sinusoids",
  );
  const facts = new Map(whole.facts).set("optim.state.1.step", 4);
  assertThrows(
    () => importPytorchDdpm({ ...whole, facts }, OPTIONS),
    RangeError,
    "same number of steps",
  );
});

Deno.test("importPytorchDdpm() takes weights of 16 and 64 bits", async () => {
  const whole = source();
  const name = "net_model.tail.2.bias";
  for (
    const tensor of [
      { dtype: "F16", shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x3800) },
      { dtype: "BF16", shape: [3], data: Uint16Array.of(0x3f80, 0xc000, 0x3f00) },
      { dtype: "F64", shape: [3], data: Float64Array.of(1, -2, 0.5) },
    ] as const
  ) {
    const tensors = new Map(whole.tensors).set(name, { ...tensor, read: () => tensor });
    const model = importPytorchDdpm({ ...whole, tensors }, OPTIONS);
    assertEquals([...await model.weights("tail.conv.bias")], [1, -2, 0.5], tensor.dtype);
  }
});

Deno.test("parseFlagfile() puts flags where our config has them", () => {
  const flags = parseFlagfile(
    "--train\n--noeval\n# a comment\n\n--dropout=0\n--beta_T=0.03\n--warmup=7\n--ema_decay=0.99\n" +
      "--img_size=64\n--var_type=fixedsmall\n--ch_mult=1\n--ch_mult=2\n--logdir=./logs/X\n",
  );
  assertEquals(flags, {
    size: 64,
    model: { dropout: 0 },
    diffusion: { betaEnd: 0.03, variance: "fixedsmall" },
    optim: { warmupSteps: 7, ema: { decay: 0.99, warmup: false } },
    train: {},
  });
  assertThrows(() => parseFlagfile("--dropout=0\nnonsense here"), SyntaxError, "line 2");
  const whole = sourceOf("ckpt.pt", torchZip(new Map([["a", savedF32([1], [1])]])));
  assertEquals(whole.tensors.get("a")?.shape, [1]);
});
