import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, runScript } from "../../support/runs.ts";
import { WrittenRun } from "../dashboard/written_run.ts";

/** A run with a log of some steps; runs of other learning rates are other methods. */
async function writeRun(dir: string, lr: number): Promise<WrittenRun> {
  const run = await WrittenRun.create(dir, { lr });
  for (const step of [10, 20]) await run.writeStep(step, 1 / step);
  return run;
}

Deno.test("report says how many lines of a log cannot be read and which is the first, and makes the page", () =>
  inFolder(async (folder) => {
    const run = await writeRun(join(folder, "run"), 1e-3);
    // An unfinished last line is what a run at work has.
    await Deno.writeTextFile(run.log, '{"step":30,"lo', { append: true });
    const live = await runScript("commands/report/main.ts", [run.dir]);
    assertEquals([live.code, errorLines(live)], [0, []]);

    await Deno.writeTextFile(run.log, "\nno line\n", { append: true });
    const damaged = await runScript("commands/report/main.ts", [run.dir]);
    assertEquals([damaged.code, errorLines(damaged)], [0, [
      `note: ${run.log}: 2 lines cannot be read and are left out, the first is line 5`,
    ]]);
    const page = await Deno.readTextFile(join(run.dir, "report", "index.html"));
    assertStringIncludes(page, "1 method, 1 run");
  }));

Deno.test("report takes all runs below a folder, those of experiments method by method", () =>
  inFolder(async (folder) => {
    const at = (...parts: string[]) => join(folder, ...parts);
    await writeRun(at("deep", "er", "single"), 1e-3);
    for (const [method, lr] of [["better", 2e-3], ["plain", 3e-3]] as const) {
      for (const seed of ["seed-1", "seed-10"]) await writeRun(at("grid", method, seed), lr);
    }
    // The order of an experiment's methods is its own, and the first is what others are compared with.
    const note = { name: "grid", about: "", methods: ["plain", "better", "later"] };
    await Deno.writeTextFile(at("grid", "experiment.json"), JSON.stringify(note));
    await WrittenRun.create(at("only begun"));

    const result = await runScript("commands/report/main.ts", [folder]);
    assertEquals([result.code, errorLines(result)], [0, []]);
    const page = await Deno.readTextFile(at("report", "index.html"));
    assertStringIncludes(page, "3 methods, 5 runs");
    const named = page.slice(page.indexOf("<h2>Methods</h2>"));
    const places = ["single", "plain", "better"].map((name) => named.indexOf(`<th>${name}</th>`));
    assert(places[0]! > 0 && places[0]! < places[1]! && places[1]! < places[2]!, `${places}`);

    // A part of an experiment is what was named, and no more.
    const part = await runScript("commands/report/main.ts", [at("grid", "better")]);
    assertEquals([part.code, errorLines(part)], [0, []]);
    assertStringIncludes(
      await Deno.readTextFile(at("grid", "better", "report", "index.html")),
      "1 method, 2 runs",
    );
  }));

Deno.test("report and tensorboard refuse what has no runs, in a line that says what they were to do", () =>
  inFolder(async (folder) => {
    const file = join(folder, "file.json");
    await Deno.writeTextFile(file, "{}");
    for (
      const [script, verb] of [
        ["commands/report/main.ts", "report on"],
        ["commands/tensorboard/main.ts", "write events of"],
      ] as const
    ) {
      for (const path of [folder, file, join(file, "below"), join(folder, "none")]) {
        const result = await runScript(script, [path]);
        assertEquals([result.code, errorLines(result)], [2, [
          `error: Cannot ${verb} ${path}: it must be the folder of a run, or have runs in it`,
        ]]);
      }
    }
  }));

Deno.test("report and tensorboard leave out a run below a folder that has no config, with a note, and end where it is named", () =>
  inFolder(async (folder) => {
    const good = await writeRun(join(folder, "runs", "good"), 1e-3);
    const bad = await writeRun(join(folder, "runs", "bad"), 1e-3);
    await Deno.remove(join(bad.dir, "config.json"));
    const why = `Cannot read config ${join("runs", "bad", "config.json")}: there is no such file`;
    for (const script of ["commands/report/main.ts", "commands/tensorboard/main.ts"]) {
      const all = await runScript(script, ["runs", good.dir, "--out", "out"], folder);
      assertEquals([all.code, errorLines(all)], [0, [
        `note: ${join("runs", "bad")} is left out: ${why}`,
      ]]);
      const named = await runScript(script, [join("runs", "bad")], folder);
      assertEquals([named.code, errorLines(named)], [2, [`error: ${why}`]]);
    }
    assertStringIncludes(
      await Deno.readTextFile(join(folder, "out", "index.html")),
      "1 method, 1 run:",
    );
    const written = await Array.fromAsync(Deno.readDir(join(folder, "out", "runs")));
    assertEquals(written.map(({ name }) => name), ["good"]);
  }));

Deno.test("report takes the runs of the folder above as those of any other", () =>
  inFolder(async (folder) => {
    await writeRun(join(folder, "beside"), 1e-3);
    await writeRun(join(folder, "exp", "m", "seed-1"), 2e-3);
    const note = { name: "exp", about: "", methods: ["m"] };
    await Deno.writeTextFile(join(folder, "exp", "experiment.json"), JSON.stringify(note));
    const result = await runScript("commands/report/main.ts", [".."], join(folder, "exp"));
    assertEquals([result.code, errorLines(result)], [0, []]);
    assertStringIncludes(
      await Deno.readTextFile(join(folder, "report", "index.html")),
      "2 methods, 2 runs",
    );
  }));
