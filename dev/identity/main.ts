/**
 * Checksums of what training and sampling make: `deno task identity`. A change that should alter no
 * result is run before and after; the two printouts are the same, line by line, on one machine and
 * driver.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "../../formats/safetensors.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const QUIET = ["--train.sampleEvery=0", "--train.evalEvery=0"];
/** CIFAR-like photographs are not on every machine; fields and shapes are made. */
const MIXED = [
  ...["--data.name=mix", "--data.mix.first=synthetic", "--data.mix.second=fashion-mnist"],
  ...["--data.synthetic.count=256", "--data.synthetic.channels=3", "--data.size=16"],
  ...["--data.mix.kind=overlay", "--data.flip=true", "--model.dropout=0.1"],
  "--model.attentionLevels=[1]",
];

/** Runs by name: a config and what is changed of it. */
const RUNS: Readonly<Record<string, readonly [config: string, ...changes: string[]]>> = {
  smoke: ["smoke.json", "--train.steps=400", "--train.checkpointEvery=400"],
  quickstart: ["quickstart.json", "--train.steps=200", "--train.checkpointEvery=200", ...QUIET],
  mixed: [
    "quickstart.json",
    ...["--train.steps=60", "--train.checkpointEvery=60", ...QUIET, ...MIXED],
    ...["--diffusion.timestepSampler.name=reweighted", "--diffusion.spectralLoss.lambda=1"],
  ],
  accumulated: [
    "quickstart.json",
    ...["--train.steps=20", "--train.checkpointEvery=20", ...QUIET, "--train.accumulate=2"],
    ...["--train.recompute=blocks", "--model.dropout=0.1"],
  ],
};

/** Sampling from the quickstart's checkpoint, by the sampler's name. */
const SAMPLERS: Readonly<Record<string, readonly string[]>> = {
  "ddpm": [],
  "ddim": ["--steps", "20", "--eta", "0.5"],
  "dpmpp-2m": ["--steps", "10"],
};

const command = defineCommand({
  name: "identity",
  summary: "Print checksums of what short runs and samplers make.",
  description: "Each run starts anew in the folder given by --dir. The checksum of a checkpoint " +
    "is over its tensors, not over the config that it carries.",
  options: {
    tree: {
      value: "DIR",
      description: "another checkout, whose scripts are run; this one's by default",
    },
    dir: { value: "DIR", description: "an empty folder for the runs", required: true },
  },
  examples: [{
    args: "--dir /tmp/after",
    does: "trains, samples and prints a line for each result",
  }],
});

async function run(tree: string, script: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(tree, script), ...args],
    cwd: tree,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code === 0) return;
  const said = new TextDecoder().decode(stderr).trim();
  throw new Error(
    `Cannot run ${script} ${args.join(" ")}: it must end with 0, got ${code}\n${said}`,
  );
}

/** SHA-256 over names, types, shapes and bytes of a file's tensors but its own checksum. */
function hashTensors(path: string): string {
  const hash = createHash("sha256");
  for (const [name, { dtype, shape, data }] of readSafetensors(Deno.readFileSync(path)).tensors) {
    if (name === "checksum") continue;
    hash.update(`${name} ${dtype} ${shape}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 16);
}

function hashFiles(folder: string): string {
  const hash = createHash("sha256");
  for (const name of [...Deno.readDirSync(folder)].map(({ name }) => name).sort()) {
    if (name.endsWith(".png")) hash.update(Deno.readFileSync(join(folder, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

if (import.meta.main) {
  await runCommand(command, async ({ options }) => {
    const tree = resolve(options.tree ?? ROOT), dir = resolve(options.dir);
    for (const [name, [config, ...changes]] of Object.entries(RUNS)) {
      const folder = join(dir, name);
      const configPath = join(tree, "config", config);
      await run(tree, "train.ts", ["--config", configPath, `--run.dir=${folder}`, ...changes]);
      const checkpoints = [...Deno.readDirSync(join(folder, "checkpoints"))];
      const last = checkpoints.map(({ name }) => name).filter((name) =>
        name.endsWith(".safetensors")
      ).sort().at(-1)!;
      console.log(`${name}  ${last}  ${hashTensors(join(folder, "checkpoints", last))}`);
    }
    for (const [name, changes] of Object.entries(SAMPLERS)) {
      const images = join(dir, name);
      await run(tree, "sample.ts", [
        ...["--checkpoint", join(dir, "quickstart"), "--sampler", name, "--count", "16"],
        ...["--images", images, ...changes],
      ]);
      console.log(`${name}  16 images  ${hashFiles(images)}`);
    }
  });
}
