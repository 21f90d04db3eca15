import { join } from "node:path";
import { holdsRun, newestRun, prepareRunFolder, runFolder } from "../../training/run_folder.ts";
import { assertEquals } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("holdsRun() is true once a run wrote anything, and not for an empty folder", () =>
  inFolder(async (folder) => {
    assertEquals(await holdsRun(join(folder, "none")), false);
    assertEquals(await holdsRun(folder), false);
    await Deno.writeTextFile(join(folder, "notes.txt"), "mine");
    assertEquals(await holdsRun(folder), false);
    // As a kill leaves it that came before anything was written.
    await prepareRunFolder(folder);
    assertEquals(await holdsRun(folder), false);
    await Deno.writeTextFile(runFolder(folder).config, "{}");
    assertEquals(await holdsRun(folder), true);
    await Deno.remove(runFolder(folder).config);
    await Deno.writeTextFile(join(runFolder(folder).checkpoints, "step-000004.safetensors"), "");
    assertEquals(await holdsRun(folder), true);
  }));

Deno.test("prepareRunFolder() makes the folders and removes torn writes alone", () =>
  inFolder(async (dir) => {
    const { samples, checkpoints } = await prepareRunFolder(dir);
    await Deno.writeTextFile(join(checkpoints, ".step-000005.safetensors.77.1.tmp"), "torn");
    await Deno.writeTextFile(join(checkpoints, "step-000004.safetensors"), "kept");
    await Deno.writeTextFile(join(samples, ".hidden"), "kept");
    for (const name of ["config.json", "log.jsonl", "tuning.json", "eval.jsonl"]) {
      await Deno.writeTextFile(join(dir, `.${name}.77.2.tmp`), "torn");
    }
    await prepareRunFolder(dir);
    assertEquals([...Deno.readDirSync(checkpoints)].map(({ name }) => name), [
      "step-000004.safetensors",
    ]);
    assertEquals([...Deno.readDirSync(samples)].map(({ name }) => name), [".hidden"]);
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), [
      "checkpoints",
      "samples",
    ]);
  }));

Deno.test("newestRun() is the run that was begun last", () =>
  inFolder(async (folder) => {
    assertEquals(await newestRun(join(folder, "none")), null);
    assertEquals(await newestRun(folder), null);
    const begun: [string, number][] = [["a", 1000], ["b", 3000], ["c", 2000]];
    for (const [name, seconds] of begun) {
      const { dir, config } = await prepareRunFolder(join(folder, name));
      await Deno.writeTextFile(config, "{}");
      await Deno.utime(config, seconds, seconds);
      assertEquals(dir, join(folder, name));
    }
    await Deno.mkdir(join(folder, "no run"));
    assertEquals(await newestRun(folder), join(folder, "b"));
  }));
