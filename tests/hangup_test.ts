import { existsSync } from "node:fs";
import { join } from "node:path";
import { listCheckpoints } from "../training/checkpoint.ts";
import { runFolder } from "../training/run_folder.ts";
import { assertEquals } from "./support/assert.ts";
import { inFolder } from "./support/folder.ts";
import { ROOT } from "./support/runs.ts";

/** A shell command that trains without end in `folder`, saying "train N/..." every few steps. */
function training(folder: string): string {
  return [
    ...[Deno.execPath(), "run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}train.ts`],
    ...["--config", `${ROOT}config/smoke.json`, `--run.dir=${folder}`, "--train.steps=1000000"],
    ...["--train.logEvery=2", "--train.sampleEvery=0", "--train.evalEvery=0"],
    "--train.checkpointEvery=0",
  ].map((word) => `'${word}'`).join(" ");
}

/** Resolves once `done` holds. */
async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end;) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Cannot wait for ${what}: it must happen within 2 minutes`);
}

const saved = async (folder: string) =>
  (await listCheckpoints(runFolder(folder).checkpoints)).length;

/** Whether a run in `folder` has taken steps. */
function steps(folder: string): boolean {
  try {
    return /"loss"/.test(Deno.readTextFileSync(join(folder, "log.jsonl")));
  } catch {
    return false;
  }
}

const onUnix = { ignore: Deno.build.os === "windows" };

Deno.test(
  "train saves and exits with 0 at SIGHUP, sent twice",
  onUnix,
  () =>
    inFolder(async (folder) => {
      const args = ["-c", `exec ${training(folder)}`];
      const child = new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).spawn();
      await until(() => steps(folder), "steps");
      child.kill("SIGHUP");
      child.kill("SIGHUP");
      assertEquals((await child.status).code, 0);
      assertEquals(await saved(folder), 1);
    }),
);

Deno.test(
  "train lives on at SIGHUP where that was ignored from the start",
  onUnix,
  () =>
    inFolder(async (folder) => {
      const args = ["-c", `trap '' HUP; exec ${training(folder)}`];
      const child = new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).spawn();
      await until(() => steps(folder), "steps");
      const log = join(folder, "log.jsonl"), before = Deno.statSync(log).size;
      child.kill("SIGHUP");
      await until(() => Deno.statSync(log).size > before + 500, "more steps");
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
      assertEquals(await saved(folder), 1);
    }),
);

Deno.test(
  "train saves when its terminal is closed",
  { ignore: Deno.build.os !== "linux" },
  () =>
    inFolder(async (folder) => {
      // util-linux's `script` gives the run a terminal of its own, which is gone once it is killed.
      const pid = join(folder, "pid");
      let terminal: Deno.ChildProcess;
      try {
        terminal = new Deno.Command("script", {
          args: ["-qec", `${training(folder)} & echo $! > '${pid}'; wait`, "/dev/null"],
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn();
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return;
        throw error;
      }
      await until(() => existsSync(pid) && steps(folder), "steps");
      const run = Number(Deno.readTextFileSync(pid));
      terminal.kill("SIGKILL");
      await terminal.status;
      try {
        await until(() => !existsSync(`/proc/${run}`), "the run's end");
      } catch (error) {
        // It would train on without end.
        Deno.kill(run, "SIGKILL");
        throw error;
      }
      assertEquals(await saved(folder), 1);
    }),
);
