/**
 * Training in processes that mpiexec starts; not where there is none (Debian's package mpich).
 *
 * @module
 */
import { join } from "node:path";
import { loadConfig } from "../config/load.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { assert, assertEquals } from "./support/assert.ts";
import { inFolder } from "./support/folder.ts";
import { ROOT, trainInFolder } from "./support/runs.ts";
import { findOnPath } from "./support/sandbox.ts";

const ignore = Deno.build.os !== "linux" || findOnPath("mpiexec") === undefined;
const CHECKPOINT = "checkpoints/step-000002.safetensors";
/** A run that takes less than its start does. */
const CONFIG = {
  data: {
    ...{ name: "synthetic", size: 8, holdout: 4 },
    synthetic: { kind: "shapes", channels: 1, count: 32 },
  },
  model: { name: "mlp", width: 16 },
  diffusion: { timesteps: 20 },
  train: {
    ...{ steps: 100000, batchSize: 4, checkpointEvery: 2, keep: 100000 },
    ...{ logEvery: 1, sampleEvery: 0 },
  },
  instruments: { bandLoss: false, spectra: false, emergence: false },
};

/** Starts the script train.ts in two processes. */
function train(...args: string[]): Deno.ChildProcess {
  return new Deno.Command("mpiexec", {
    args: ["-n", "2", Deno.execPath(), "run", "-A", "--no-check", "train.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", XDG_RUNTIME_DIR: Deno.env.get("TMPDIR") ?? "/tmp" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The process of a rank whose arguments name a folder. */
async function processOf(rank: number, folder: string): Promise<number> {
  for await (const { name } of Deno.readDir("/proc")) {
    try {
      const text = (file: string) => Deno.readTextFileSync(`/proc/${name}/${file}`).split("\0");
      if (!text("environ").includes(`PMI_RANK=${rank}`)) continue;
      if (text("cmdline").some((word) => word.includes(folder))) return Number(name);
    } catch {
      // No process, one of somebody else's, or one that has just ended.
    }
  }
  throw new Error(`Cannot find rank ${rank}: no process has it`);
}

async function floatsOf(path: string) {
  const { tensors } = readSafetensors(await Deno.readFile(path));
  return new Map([...tensors].filter(([, { dtype }]) => dtype === "F32"));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("train in two processes of mpiexec has the bits of one, and ends with any of them", {
  ignore,
}, () =>
  inFolder(async (folder) => {
    const [two, one] = [join(folder, "two"), join(folder, "one")];
    const file = join(folder, "config.json");
    await Deno.writeTextFile(file, JSON.stringify(CONFIG));
    const child = train("--config", file, `--run.dir=${two}`, "--train.distributed=mpi");
    const ended = child.output();
    await Promise.race([until(() => exists(join(two, CHECKPOINT))), ended]);
    Deno.kill(await processOf(1, two), "SIGKILL");
    const { code, stdout } = await ended;
    assert(code !== 0);
    const lines = new TextDecoder().decode(stdout).split("\n");
    for (const start of ["processes 2, MPI", "adapter ", "steps "]) {
      assertEquals(lines.filter((line) => line.startsWith(start)).length, 1, lines.join("\n"));
    }
    const config = await loadConfig(file, [["train.accumulate", "2"]]);
    await trainInFolder(config, one, { stopAfter: 2 });
    assertEquals(await floatsOf(join(two, CHECKPOINT)), await floatsOf(join(one, CHECKPOINT)));
  }));

Deno.test("train in processes that are to work apart says once that it will not", {
  ignore,
}, async () => {
  for (
    const [args, code, message] of [
      [["--config=config/smoke.json"], 2, "error: Cannot work in 2 processes: train.distributed"],
      [["--nonsense"], 2, "error: Cannot run train: --nonsense must be a known option"],
    ] as const
  ) {
    const output = await train(...args).output();
    const lines = new TextDecoder().decode(output.stderr).split("\n").filter((it) => it !== "");
    assertEquals([output.code, lines.length], [code, 1], lines.join("\n"));
    assert(lines[0]!.startsWith(message), lines[0]);
  }
});
