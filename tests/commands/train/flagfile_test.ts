import { chainOverrides } from "../../../commands/train/chain_flags.ts";
import {
  CHAIN_DEFAULTS,
  FLAG_DEFAULTS,
  FLAG_NAMES,
  flagOverrides,
  readFlagOverrides,
} from "../../../commands/train/flagfile.ts";
import { loadConfig } from "../../../config/load.ts";
import { changesBetween } from "../../../config/resume.ts";
import { UsageError } from "../../../support/errors.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { ROOT } from "../../support/runs.ts";

/** As absl writes it for pytorch-ddpm: every flag, with another value than its default where it counts. */
const FLAGS = `--train
--noeval
# the network
--ch=64
--ch_mult=1
--ch_mult=2
--attn=0
--attn=1
--num_res_blocks=1
--dropout=.2
--beta_1=2e-4
--beta_T=0.03
--T=500
--mean_type=xstart
--var_type=fixedsmall
--lr=1e-3
--grad_clip=2.
--total_steps=100
--img_size=32
--warmup=7
--batch_size=16
--num_workers=4
--ema_decay=0.99
--noparallel
--logdir='./logs/007'
--sample_size=9
--sample_step=10
--save_step=20
--eval_step=0
--num_images=50000
--nofid_use_torch
--fid_cache=./stats/cifar10.train.npz
`;

const overrides = (text: string, said: string[] = []) =>
  flagOverrides(text, "F.txt", (line) => said.push(line));

const refusal = (text: string) => assertThrows(() => overrides(text), UsageError).message;

Deno.test("flagOverrides() puts every flag where a config has it", async () => {
  const said: string[] = [];
  const config = await loadConfig(FLAG_DEFAULTS, overrides(FLAGS, said));
  const { run, data, model, diffusion, optim, train, metrics } = config;
  const { channels, channelMultipliers, attentionLevels, blocks, dropout } =
    model as unknown as Record<string, unknown>;
  assertEquals(
    { channels, channelMultipliers, attentionLevels, blocks, dropout },
    {
      ...{ channels: 64, channelMultipliers: [1, 2], attentionLevels: [0, 1] },
      ...{ blocks: 1, dropout: 0.2 },
    },
  );
  const { timesteps, betaStart, betaEnd, target, variance } = diffusion;
  assertEquals(
    { timesteps, betaStart, betaEnd, target, variance },
    { timesteps: 500, betaStart: 2e-4, betaEnd: 0.03, target: "x0", variance: "fixedsmall" },
  );
  assertEquals([optim.lr, optim.gradClip, optim.warmupSteps], [1e-3, 2, 7]);
  assertEquals([optim.ema.decay, optim.ema.warmup], [0.99, false]);
  assertEquals([train.steps, train.batchSize, train.sampleCount], [100, 16, 9]);
  assertEquals([train.sampleEvery, train.checkpointEvery], [10, 20]);
  assertEquals([run.dir, data.size], ["./logs/007", 32]);
  assertEquals([metrics.every, metrics.count], [0, 50000]);
  assertEquals(said.map((line) => line.split(" ")[1]), ["--num_workers", "--fid_cache"]);
});

Deno.test("flagOverrides() refuses what is no flag, is not known, or is not here", () => {
  const cases = [
    ["nonsense", "line 1 must be --name=value"],
    ["--sigma=1", "--sigma must be a flag of pytorch-ddpm"],
    ["--constructor=1", "--constructor must be a flag of pytorch-ddpm"],
    ["--lr", "--lr must be a known flag, with its value after =, got no value"],
    ["--nolr", "--nolr must be a known flag"],
    ["--train=perhaps", "--train must be true or false"],
    ["--notrain=true", "--notrain must be true or false"],
    ["--ch_mult=wide", "--ch_mult must be a number, and given once for each item, got wide"],
    ["--mean_type=v", "--mean_type must be one of epsilon, xstart, xprev, got v"],
    ["--resume_from_ckpt=a.pt", "--resume_from_ckpt must not be given: a run goes on by --resume"],
    ["--flagfile=b.txt", "--flagfile must not be given"],
  ];
  for (const [text = "", part = ""] of cases) {
    assertStringIncludes(refusal(`${text}\n`), part);
    assertStringIncludes(refusal(text), "Cannot use F.txt: ");
  }
});

Deno.test("flagOverrides() has xprev as that code means it: the mean itself", async () => {
  const { diffusion } = await loadConfig(FLAG_DEFAULTS, overrides("--mean_type=xprev"));
  assertEquals([diffusion.target, diffusion.xprevOutput], ["xprev", "mean"]);
});

Deno.test("flagOverrides() switches the average off by a decay of 0 and less", async () => {
  for (const decay of [0, -1]) {
    const { optim } = await loadConfig(FLAG_DEFAULTS, overrides(`--ema_decay=${decay}`));
    assertEquals(optim.ema.decay, 0);
  }
});

Deno.test("flagOverrides() says of a switch that sets nothing what does it here", () => {
  const said: string[] = [];
  assertEquals(
    overrides("--eval\n--parallel=True\n--nofid_use_torch\n--fid_use_torch=0", said),
    [],
  );
  assertEquals(said.length, 2);
  assertStringIncludes(said[0]!, "deno task eval");
});

Deno.test("docs/coming-from.md has every flag of a flag file", async () => {
  const text = await Deno.readTextFile(`${ROOT}docs/coming-from.md`);
  assertEquals(FLAG_NAMES.filter((name) => !text.includes(`\`${name}\``)), []);
});

Deno.test("FLAG_DEFAULTS is what the flags of CIFAR10.txt say", async () => {
  // Every flag that sets a run's training, at the default of pytorch-ddpm's main.py.
  const flags = [
    ...["ch=128", "ch_mult=1", "ch_mult=2", "ch_mult=2", "ch_mult=2", "attn=1"],
    ...["num_res_blocks=2", "dropout=0.1", "beta_1=1e-4", "beta_T=0.02", "T=1000"],
    ...["mean_type=epsilon", "var_type=fixedlarge", "lr=2e-4", "grad_clip=1.0", "warmup=5000"],
    ...["total_steps=800000", "batch_size=128", "ema_decay=0.9999", "sample_size=64"],
    ...["sample_step=1000", "save_step=5000", "eval_step=0"],
  ];
  const said = overrides(flags.map((flag) => `--${flag}`).join("\n"));
  assertEquals(await loadConfig(FLAG_DEFAULTS, said), await loadConfig(FLAG_DEFAULTS));
});

/** The flags of the fork that trains a chain, of cifar10_unet_example.cfg and the defaults beside them. */
const CHAIN_FLAGS = [
  ...["train", "noeval", "nprocs=1", "batch_size=8", "beta_1=0.0001", "beta_T=0.02", "T=1000"],
  ...["tau=100", "net_cfg=./networks/quarters.json", "dataset=CIFAR10", "img_size=32", "img_ch=3"],
  ...["num_workers=4", "total_steps=800000", "warmup=200", "lr=0.0002", "grad_clip=1.0"],
  ...["ema_decay=0.9999", "layer_loss_factor=1.0", "sample_step=100", "sample_size=64"],
  ...["save_step=500", "eval_step=0", "num_images=1000", "eval_use_torch"],
  ...["resume_from_ckpt=", "noresume_without_progress", "resume_layer_excluded="],
].map((flag) => `--${flag}`).join("\n");

/** A network of each quarter of the timesteps. */
const QUARTERS = {
  net_type: "UNet",
  cfg: [8, 6, 4, 2].map((alpha) => ({ alpha, beta: alpha / 2 })),
  ratio_cfg: [0.25, 0.25, 0.25, 0.25],
};

Deno.test("readFlagOverrides() takes the flags of a chain, and the networks that they name", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/networks`);
    await Deno.writeTextFile(`${folder}/networks/quarters.json`, JSON.stringify(QUARTERS));
    await Deno.writeTextFile(`${folder}/chain.cfg`, CHAIN_FLAGS);
    const { defaults, overrides } = await readFlagOverrides(`${folder}/chain.cfg`, () => {});
    assertEquals(defaults, CHAIN_DEFAULTS);
    const changes = changesBetween(
      await loadConfig(CHAIN_DEFAULTS),
      await loadConfig(defaults, overrides),
    );
    assertEquals(changes, [{ key: "data.size", before: null, after: 32 }]);
    const fewer = CHAIN_FLAGS.replace("tau=100", "tau=50").replace("factor=1.0", "factor=2");
    await Deno.writeTextFile(`${folder}/chain.cfg`, fewer);
    const { model, diffusion } = await loadConfig(
      defaults,
      (await readFlagOverrides(`${folder}/chain.cfg`, () => {})).overrides,
    );
    assertEquals((model as unknown as { stages: number }).stages, 50);
    assertEquals([diffusion.sampler.steps, diffusion.layerLossFactor], [50, 2]);
  });
});

Deno.test("readFlagOverrides() says where a chain's networks are not, and takes those of the code's own example", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/chain.cfg`, said: string[] = [];
    await Deno.writeTextFile(path, "--tau=100\n--net_cfg=./config/network/unet_example.json\n");
    await readFlagOverrides(path, (line) => said.push(line));
    assertStringIncludes(said[0]!, "./config/network/unet_example.json is not there");
    await Deno.writeTextFile(path, "--tau=100\n--net_cfg=./mine.json\n");
    const missing = await assertRejects(() => readFlagOverrides(path, () => {}), UsageError);
    assertStringIncludes(missing.message, "mine.json");
  });
});

Deno.test("chainOverrides() refuses networks that no chain here is", () => {
  const cases: [change: object, part: string][] = [
    [{ net_type: "ResNet" }, "net_type must be UNet"],
    [{ cfg: [] }, "cfg must list networks"],
    [{ cfg: [{ alpha: 8 }] }, "must have alpha and beta"],
    [{ cfg: [{ ch: 128, num_res_blocks: 2 }] }, "must have alpha and beta"],
    [{ ratio_cfg: [0.7, 0.1, 0.1, 0.1] }, "ratio_cfg must be 4 equal shares"],
  ];
  for (const [change, part] of cases) {
    const text = JSON.stringify({ ...QUARTERS, ...change });
    const error = assertThrows(() => chainOverrides(text, "net.json"), UsageError);
    assertStringIncludes(error.message, "Cannot use net.json: ");
    assertStringIncludes(error.message, part);
  }
});
