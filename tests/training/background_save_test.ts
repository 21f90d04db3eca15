import { join } from "node:path";
import { BackgroundWork, HeldLog } from "../../training/background_save.ts";
import { copyCheckpoint, listCheckpoints, writeCheckpoint } from "../../training/checkpoint.ts";
import type { LogEvent } from "../../training/log.ts";
import type { Observer } from "../../training/observer.ts";
import { pause } from "../../support/pause.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

Deno.test("copyCheckpoint() writes what writeCheckpoint() would have, whatever became of the tensors", () =>
  inFolder(async (folder) => {
    const values = Float32Array.of(1, -2, 3.5);
    const tensors = [{ name: "w", shape: [3], read: () => Promise.resolve(values) }];
    const facts = { step: 7, config: "{}" };
    const [copied, waited] = [join(folder, "copied"), join(folder, "waited")];
    await writeCheckpoint(waited, facts, tensors);
    const write = await copyCheckpoint(copied, facts, tensors);
    values.fill(0);
    await write();
    assertEquals(await Deno.readFile(copied), await Deno.readFile(waited));
  }));

Deno.test("HeldLog puts what it held behind the checkpoint's line", () => {
  const written: LogEvent[] = [];
  const write = (event: LogEvent) => void written.push(event);
  const log = new HeldLog({ write, ensure: write, sync: () => {}, close: () => {} });
  log.write({ step: 1 });
  log.hold();
  log.write({ step: 2 });
  log.write({ step: 3 });
  log.ensure({ step: 1, event: "checkpoint" });
  assertEquals(written, [{ step: 1 }, { step: 1, event: "checkpoint" }]);
  log.release();
  log.write({ step: 4 });
  assertEquals(written.map(({ step }) => step), [1, 1, 2, 3, 4]);
});

Deno.test("BackgroundWork tells of a failure until it was told, and has no two at once", async () => {
  const work = new BackgroundWork();
  work.begin(() => Promise.reject(new Error("disk full")));
  await assertRejects(() => work.end(), Error, "disk full");
  await assertRejects(() => Promise.resolve().then(() => work.check()), Error, "disk full");
  const other = new BackgroundWork();
  other.begin(() => Promise.resolve());
  await assertRejects(
    () => Promise.resolve().then(() => other.begin(() => Promise.resolve())),
    TypeError,
    "must have ended",
  );
  await other.end();
});

/** Runs `body` while `rename` stands in for the system's; `original` is that. */
async function withRename(
  rename: (original: typeof Deno.rename, from: string, to: string) => Promise<void>,
  body: () => Promise<void>,
): Promise<void> {
  const original = Deno.rename;
  Deno.rename = (from, to) => rename(original, String(from), String(to));
  try {
    await body();
  } finally {
    Deno.rename = original;
  }
}

/** Turns of the event loop after which nothing is expected any more. */
const MOST_TURNS = 20_000;

const CONFIG = ["train.sampleEvery=0", "train.evalEvery=0", "train.checkpointEvery=2"];

Deno.test("trainRun() goes on while a checkpoint is written, and one that waits gives the same files", () =>
  inFolder(async (folder) => {
    const config = await smokeConfig(...CONFIG);
    const [beside, plain] = [join(folder, "beside"), join(folder, "plain")];
    let reached = 0, passed = 0;
    const observer: Observer = {
      ...{ everySteps: 1, atEnd: false },
      read: (step) => {
        reached = step;
        return Promise.resolve(null);
      },
    };
    await trainInFolder(config, plain);
    reached = 0;
    await withRename(async (original, from, to) => {
      if (!to.endsWith("step-000002.safetensors")) return await original(from, to);
      for (let turn = 0; reached <= 2 && turn < MOST_TURNS; turn++) await pause();
      passed = reached;
      await original(from, to);
    }, async () => void await trainInFolder(config, beside, { observers: [observer] }));
    assert(passed > 2, "no step was made while the file had no name yet");
    const filesOf = async (dir: string) => {
      const log = await Deno.readTextFile(join(dir, "log.jsonl"));
      const checkpoints = await listCheckpoints(join(dir, "checkpoints"));
      const files = await Promise.all(checkpoints.map(({ path }) => Deno.readFile(path)));
      return [log.replaceAll(/"imagesPerSecond":[^,}]*/g, ""), ...files];
    };
    assertEquals(await filesOf(beside), await filesOf(plain));
  }));

Deno.test("trainRun() ends with the error of a checkpoint that can't be written, and leaves nothing of it", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...CONFIG, "train.steps=40");
    await withRename(async (original, from, to) => {
      if (!to.endsWith("step-000004.safetensors")) return await original(from, to);
      throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    }, async () => {
      const error = await assertRejects(() => trainInFolder(config, dir), Error);
      assertStringIncludes(error.message, "step-000004.safetensors");
      assertStringIncludes(error.message, "disk");
    });
    const names = await Array.fromAsync(Deno.readDir(join(dir, "checkpoints")), (it) => it.name);
    assertEquals(names, ["step-000002.safetensors"]);
    const log = (await Deno.readTextFile(join(dir, "log.jsonl"))).trimEnd().split("\n");
    const last: LogEvent = JSON.parse(log.at(-1)!);
    assert(last.step < 8 && last.event === undefined, JSON.stringify(last));
  }));
