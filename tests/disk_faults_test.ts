/**
 * Disks that are full or turn read-only, each under a real run: how it ends, what is left, and that it
 * goes on.
 *
 * @module
 */
import { join } from "node:path";
import { Log } from "../training/log.ts";
import type { Observer } from "../training/observer.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "./support/assert.ts";
import {
  assertOneLine,
  assertSameEnd,
  assertSaved,
  checkpointPath,
  namesBelow,
  QUIET,
  SMOKE,
  train,
} from "./support/faults.ts";
import { inFolder } from "./support/folder.ts";
import { ROOT, type ScriptResult, smokeConfig, trainInFolder } from "./support/runs.ts";

/** Whether this process may mount file systems, as root may. */
const mounts = Deno.build.os === "linux" && await (async () => {
  const folder = await Deno.makeTempDir();
  try {
    return await mount("tmpfs", folder, "size=64k") && await unmount(folder);
  } finally {
    await Deno.remove(folder);
  }
})();

async function command(name: string, ...args: string[]): Promise<boolean> {
  try {
    const options = { args, stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(name, options).output()).success;
  } catch {
    return false;
  }
}

function mount(kind: string, folder: string, options: string): Promise<boolean> {
  return command("mount", "-t", kind, "-o", options, kind, folder);
}

function unmount(folder: string): Promise<boolean> {
  return command("umount", folder);
}

Deno.test("a full disk ends a run in one line and keeps what is saved", {
  // Elsewhere the next test covers it.
  ignore: !mounts,
}, () =>
  inFolder(async (folder) => {
    const [whole, disk] = [join(folder, "whole"), join(folder, "disk")];
    const args = [...QUIET.map((it) => `--${it}`), "--train.checkpointEvery=2", "--train.keep=3"];
    await train(whole, ...args);
    await Deno.mkdir(disk);
    const { size } = await Deno.stat(checkpointPath(whole, 6));
    assert(await mount("tmpfs", disk, `size=${Math.round(2.5 * size)}`));
    try {
      const dir = join(disk, "run");
      const full = await train(dir, ...args);
      assertMatch(
        full.out,
        /note: the disk will be full before the run is done: it needs 0\.\d MB/,
      );
      assertStringIncludes(
        assertOneLine(full),
        `Cannot write ${checkpointPath(dir, 6)}: the disk must have room for`,
      );
      await assertSaved(dir, [4, 2]);
      // Nobody knows of the room: the write itself fails.
      const config = await smokeConfig(...QUIET, "train.checkpointEvery=2", "train.keep=3");
      const options = { resume: true, freeSpace: () => Promise.resolve(null) };
      const error = await assertRejects(() => trainInFolder(config, dir, options));
      assertStringIncludes(
        error.message,
        `Cannot write ${checkpointPath(dir, 6)}: the disk must have room, it is full: free some; ` +
          `the run is saved up to step 4`,
      );
      await assertSaved(dir, [4, 2]);
      await mount("tmpfs", disk, `remount,size=${5 * size}`);
      const resumed = await train(dir, "--resume");
      assertEquals(resumed.code, 0, resumed.err);
      await assertSameEnd(dir, whole, 6);
      await assertSaved(dir, [6, 4, 2]);
    } finally {
      assert(await unmount(disk));
    }
  }));

/** Runs a script with no file allowed to be larger; the signal that this sends is ignored. */
async function runLimited(blocks: number, args: readonly string[]): Promise<ScriptResult> {
  const script = "trap '' XFSZ; ulimit -f $0 && exec \"$@\"";
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, `${blocks}`, Deno.execPath(), ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("a write that fails half-way leaves no torn file, and the checkpoint before it", {
  ignore: Deno.build.os !== "linux",
}, () =>
  inFolder(async (dir) => {
    const begun = await train(dir, "--train.steps=3");
    assertEquals(begun.code, 0, begun.err);
    const args = ["run", "-A", `${ROOT}train.ts`, ...SMOKE, `--run.dir=${dir}`];
    // 100 KiB: less than a checkpoint, more than anything else.
    const limited = await runLimited(100, [...args, "--resume", "--train.steps=6"]);
    const line = assertOneLine(limited);
    assertStringIncludes(line, `Cannot write ${checkpointPath(dir, 6)}: the file must fit`);
    assertStringIncludes(line, `the run is saved up to step 3 in ${checkpointPath(dir, 3)}`);
    await assertSaved(dir, [3]);
    const resumed = await train(dir, "--resume", "--train.steps=6");
    assertEquals(resumed.code, 0, resumed.err);
    await assertSaved(dir, [6, 3]);
  }));

Deno.test("Log.write() takes back the part of a line that did not fit", {
  ignore: Deno.build.os !== "linux",
}, () =>
  inFolder(async (folder) => {
    const [path, script] = [join(folder, "log.jsonl"), join(folder, "fill.ts")];
    await Deno.writeTextFile(
      script,
      `import { Log } from ${JSON.stringify(`file://${ROOT}training/log.ts`)};
      const log = await Log.open(${JSON.stringify(path)}, 0);
      try {
        for (let step = 1;; step++) log.write({ step, event: "x".repeat(99) });
      } catch (error) {
        console.log(error.message);
      }`,
    );
    const { code, out, err } = await runLimited(4, [
      "run",
      "-A",
      `--config=${ROOT}deno.json`,
      script,
    ]);
    assertEquals(code, 0, err);
    assertEquals(
      out,
      `Cannot write ${path}: the file must fit what the file system allows, it is too large\n`,
    );
    const text = await Deno.readTextFile(path);
    assert(text.length > 3900 && text.endsWith("\n"), text.slice(-200));
    const log = await Log.open(path, 30);
    log.write({ step: 31 });
    log.close();
    assertEquals((await Deno.readTextFile(path)).split("\n").length, 32);
  }));

Deno.test("a folder that can't be written to is refused before anything else is done", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  for (const dir of ["/proc/run", "/sys/run", "/dev/null/run"]) {
    const result = await train(dir, "--data.name=mnist", "--data.dir=/no/such/data");
    const line = assertOneLine(result);
    assertStringIncludes(line, `Cannot write to ${dir}: `);
    assertStringIncludes(line, "set run.dir to a folder that can be written to");
  }
});

Deno.test("a folder that turns read-only ends a run in one line, and it goes on later", {
  ignore: !mounts,
}, () =>
  inFolder(async (folder) => {
    assert(await mount("tmpfs", folder, "size=20m"));
    const dir = join(folder, "run");
    try {
      const config = await smokeConfig(...QUIET, "train.checkpointEvery=2");
      let locked = false;
      const locks: Observer = {
        everySteps: 3,
        atEnd: false,
        read: async () => {
          // Steps may go on while the checkpoint that fails is being written.
          if (locked) return null;
          locked = true;
          while (!namesBelow(dir).includes("checkpoints/step-000002.safetensors")) {
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          // The log is open for writing, so the file system itself must stay as it is.
          assert(await command("mount", "--bind", folder, folder));
          assert(await command("mount", "-o", "remount,bind,ro", folder));
          return null;
        },
      };
      const error = await assertRejects(() => trainInFolder(config, dir, { observers: [locks] }));
      assertStringIncludes(
        error.message,
        "the file system must be writable, it is mounted read-only",
      );
      assertStringIncludes(error.message, `saved up to step 2 in ${checkpointPath(dir, 2)}`);
      const again = await train(dir, "--resume");
      assertStringIncludes(assertOneLine(again), `Cannot write to ${dir}: the file system must be`);
      assert(await unmount(folder));
      const resumed = await trainInFolder(config, dir, { resume: true });
      assertEquals(resumed.finished, true);
      await assertSaved(dir, [6, 4]);
    } finally {
      // Both mounts, whoever still has a file open there.
      while (await command("umount", "--lazy", folder));
    }
  }));
