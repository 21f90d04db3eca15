import { join, relative } from "node:path";
import { parseConfig } from "../../config/load.ts";
import { UsageError } from "../../support/errors.ts";
import { groupRuns, readRun, type RunRecord } from "../../run_log/read_run.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { WrittenRun } from "../commands/dashboard/written_run.ts";

function runOf(dir: string, seed: number, data: object): RunRecord {
  const config = parseConfig(JSON.stringify({ run: { seed }, data }), { path: dir });
  return { dir, seed, config } as unknown as RunRecord;
}

function grouped(...data: object[]): string[][] {
  const runs = data.map((choice, i) => runOf(`run-${i}`, i, choice));
  return groupRuns(runs).map((method) => method.runs.map(({ dir }) => dir));
}

Deno.test("groupRuns() tells sets apart by their folder where it says which images they have", () => {
  for (const name of ["folder", "parquet", "npz"]) {
    const at = (dir: string) => ({ name, dir, size: 8 });
    assertEquals(grouped(at("/cats"), at("/dogs"), at("/cats/")), [["run-0", "run-2"], ["run-1"]]);
    const here = relative(".", "cats"), there = join(Deno.cwd(), "cats");
    assertEquals(grouped(at(here), at(there)), [["run-0", "run-1"]]);
  }
  const mnist = (dir: string) => ({ name: "mnist", dir, size: 32, resize: "pad" });
  assertEquals(grouped(mnist("/here"), mnist("/there")), [["run-0", "run-1"]]);
});

Deno.test("readRun() says which file of a run is damaged", () =>
  inFolder(async (folder) => {
    const { dir } = await WrittenRun.create(join(folder, "run"));
    await Deno.writeTextFile(join(dir, "log.jsonl"), "");
    assertEquals((await readRun(dir)).final, null);
    const path = join(dir, "samples", "final.json");
    await Deno.writeTextFile(path, '{"step":');
    const { message } = await assertRejects(() => readRun(dir), UsageError);
    assert(message.includes(path), message);
  }));
