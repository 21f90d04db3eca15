import { join } from "node:path";
import { commonFolder, findRuns, groupName, runId, runName } from "../../run_log/find_runs.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("findRuns() finds runs at any depth, sorted as a person would, each once", () =>
  inFolder(async (root) => {
    const folder = await Deno.realPath(root);
    const names = ["b/seed-10", "b/seed-2", "a", "deep/er/and/deeper"];
    for (const name of names) {
      await Deno.mkdir(join(folder, name, "samples"), { recursive: true });
      await Deno.writeTextFile(join(folder, name, "log.jsonl"), "");
    }
    await Deno.mkdir(join(folder, "no run"));
    await Deno.symlink(folder, join(folder, "loop"));
    await Deno.symlink(join(folder, "a"), join(folder, "z"));
    const expected = ["a", "b/seed-2", "b/seed-10", "deep/er/and/deeper"];
    const paths = [folder, join(folder, "b"), join(folder, "nowhere")];
    assertEquals(await findRuns(paths), expected.map((name) => join(folder, name)));
    assertEquals(await findRuns([join(folder, "nowhere")]), []);
  }));

Deno.test("commonFolder() and runName() name runs by what tells them apart", () => {
  const dirs = ["/r/x/base/seed-1", "/r/x/base/seed-2", "/r/x/other/seed-1"];
  const folder = commonFolder(dirs);
  assertEquals(folder, "/r/x");
  assertEquals(dirs.map((dir) => runName(dir, folder)), [
    ...["base/seed-1", "base/seed-2", "other/seed-1"],
  ]);
  assertEquals(runName("/r/only", commonFolder(["/r/only"])), "only");
  assertEquals(commonFolder(["/a/b", "/c/d"]), "/");
  assertEquals(["base/seed-1", "base", "seed-1x"].map(groupName), ["base", "base", "seed-1x"]);
});

Deno.test("runId() is short, the same each time and another for another folder", async () => {
  const id = await runId("/r/x");
  assertMatch(id, /^[0-9a-f]{12}$/);
  assertEquals(await runId("/r/x"), id);
  assertEquals(await runId("/r/y") === id, false);
});
