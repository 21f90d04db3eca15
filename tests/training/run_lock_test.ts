import { join } from "node:path";
import { RunLock } from "../../training/run_lock.ts";
import { UsageError } from "../../support/errors.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name);

Deno.test("RunLock lets one at a time have a folder, and leaves nothing in it", () =>
  inFolder(async (dir) => {
    const [one, other] = [new RunLock(dir), new RunLock(dir)];
    await one.take();
    await one.take(); // it is held already
    await assertRejects(
      () => other.take(),
      UsageError,
      `another process (${Deno.pid}) trains there`,
    );
    await one.release();
    await other.take();
    await assertRejects(() => one.take(), UsageError, "choose another folder by --run.dir=");
    await other.release();
    await other.release();
    assertEquals(names(dir), []);
  }));

Deno.test("RunLock takes a folder once it is there, and one that a killed process had", () =>
  inFolder(async (folder) => {
    const dir = join(folder, "run");
    const lock = new RunLock(dir);
    await lock.take();
    assertEquals(names(folder), []);
    await Deno.mkdir(dir);
    await Deno.writeTextFile(join(dir, ".lock"), "1234567\n");
    await lock.take();
    await assertRejects(() => new RunLock(dir).take(), UsageError, `(${Deno.pid})`);
    await lock.release();
    assertEquals(names(dir), []);
  }));

Deno.test("trainRun() refuses a folder in which another process trains, and touches nothing there", () =>
  inFolder(async (dir) => {
    const lock = new RunLock(dir);
    await lock.take();
    const config = await smokeConfig("train.steps=1");
    await assertRejects(() => trainInFolder(config, dir), UsageError, `Cannot train in ${dir}`);
    assertEquals(names(dir), [".lock"]);
    await lock.release();
    await trainInFolder(config, dir);
    assertEquals(names(dir).includes(".lock"), false);
  }));
