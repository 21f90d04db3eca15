import { join } from "node:path";
import { checkpointBytes, stepName, writeCheckpoint } from "../../training/checkpoint.ts";
import { checkSpace, planSpace, systemFreeSpace } from "../../training/disk_space.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";
import { listCheckpoints } from "../../training/checkpoint.ts";

const room = (bytes: number | null) => () => Promise.resolve(bytes);

Deno.test("checkpointBytes() is the size of the file that writeCheckpoint() writes", () =>
  inFolder(async (folder) => {
    const facts = { step: 12, config: '{"a":"ü"}', notes: { adapter: "test" } };
    const tensors = [[2, 3], [], [5]].map((shape, i) => ({
      name: `t${i}`,
      shape,
      read: () => Promise.resolve(new Float32Array(shape.reduce((a, b) => a * b, 1))),
    }));
    const path = join(folder, "a.safetensors");
    await writeCheckpoint(path, facts, tensors);
    assertEquals(checkpointBytes(facts, tensors), (await Deno.stat(path)).size);
  }));

Deno.test("planSpace() counts what is kept, one more on its way, and what is there", () =>
  inFolder(async (folder) => {
    const needs = { folder, bytes: 430e6, keep: 2 };
    assertEquals(await planSpace(needs, room(3 * 430e6)), null);
    assertEquals(
      await planSpace(needs, room(3 * 430e6 - 1)),
      "the disk will be full before the run is done: it needs 430 MB for each of 2 checkpoints, " +
        `and for one more while it is written; 1,290 MB are free in ${folder}: free some or set run.dir`,
    );
    for (const step of [1, 2, 3]) {
      await Deno.writeTextFile(join(folder, `${stepName(step)}.safetensors`), "x");
    }
    assertEquals(await planSpace(needs, room(430e6)), null);
    await assertRejects(
      () => planSpace(needs, room(120e6)),
      Error,
      "Cannot train: the disk must have room for a checkpoint; it needs 430 MB",
    );
    assertEquals(await planSpace(needs, room(null)), null);
  }));

Deno.test("checkSpace() refuses a checkpoint that has no room", () =>
  inFolder(async (folder) => {
    const needs = { folder, bytes: 1e6, keep: 2 };
    await checkSpace("a", needs, room(1e6));
    await checkSpace("a", needs, room(null));
    await assertRejects(
      () => checkSpace("a", needs, room(500_000)),
      Error,
      `Cannot write a: the disk must have room for 1.0 MB, 0.5 MB are free in ${folder}: free some`,
    );
  }));

Deno.test("systemFreeSpace() knows folders that exist, and no others", async () => {
  assert((await systemFreeSpace("."))! > 0);
  assertEquals(await systemFreeSpace("/no/such/folder"), null);
});

Deno.test("trainRun() asks for room at its start and before each checkpoint, and keeps the last", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig("train.checkpointEvery=2", "train.sampleEvery=0");
    const free = [1.5e6, 2e6, 1e5];
    const asked: string[] = [];
    const freeSpace = (folder: string) => {
      asked.push(folder);
      return Promise.resolve(free[asked.length - 1] ?? 0);
    };
    const lines: string[] = [];
    const error = await assertRejects(
      () => trainInFolder(config, dir, { freeSpace, lines }),
      Error,
    );
    const folder = join(dir, "checkpoints");
    assertEquals(asked, [folder, folder, folder]);
    assert(
      lines.some((line) =>
        /^note: the disk will be full before the run is done: it needs 0\.\d MB/.test(line)
      ),
      lines.join("\n"),
    );
    assertEquals(
      error.message.replace(/for 0\.\d MB/, "for N MB"),
      `Cannot write ${
        join(folder, "step-000004.safetensors")
      }: the disk must have room for N MB, ` +
        `0.1 MB are free in ${folder}: free some; the run is saved up to step 2 in ` +
        `${join(folder, "step-000002.safetensors")}, go on by --resume`,
    );
    assertEquals((await listCheckpoints(folder)).map(({ step }) => step), [2]);
    const resumed = await trainInFolder(config, dir, { resume: true });
    assertEquals(resumed.finished, true);
  }));
