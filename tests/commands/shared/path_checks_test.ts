import { dirname, join } from "node:path";
import { UsageError } from "../../../support/errors.ts";
import {
  checkGivenFiles,
  checkResultFile,
  checkResultFolder,
} from "../../../commands/shared/path_checks.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, ROOT, runScript } from "../../support/runs.ts";

Deno.test("checkResultFile() and checkResultFolder() refuse mistaken places as wrong use", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "file.png"), gone = join(folder, "gone", "x.png");
    await Deno.writeTextFile(file, "kept");
    const refused = (check: Promise<void>, part: string) =>
      assertRejects(() => check, UsageError, part);
    await refused(checkResultFile(folder), `Cannot write ${folder}: the path must name a file`);
    await refused(checkResultFile(gone), `the folder ${dirname(gone)} must exist, make it first`);
    await refused(checkResultFile(join(file, "x.png")), "one is a file");
    await refused(checkResultFile(join(file, "x"), { makesFolder: true }), "one is a file");
    await refused(checkResultFile(file, { extension: ".npz" }), "name must end in .npz");
    await refused(checkResultFolder(file), "one is a file");
    await checkResultFile(gone, { makesFolder: true, extension: ".png" });
    await checkResultFile(file);
    await checkResultFile(undefined, { extension: ".png" });
    await checkResultFolder(join(folder, "gone", "deep"));
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["file.png"]);
    assertEquals(await Deno.readTextFile(file), "kept");
  });
});

Deno.test({
  name: "checkResultFile() calls it no wrong use where a right is missing",
  ignore: Deno.build.os !== "linux",
  // There root may make nothing either.
  fn: async () => {
    const error = await assertRejects(() => checkResultFile("/sys/x"), Error, "Cannot write");
    assertEquals(error instanceof UsageError, false);
  },
});

Deno.test("checkResultFile() spares the files that a run goes on with, by whatever path", async () => {
  await inFolder(async (folder) => {
    const run = join(folder, "run"), checkpoints = join(run, "checkpoints");
    await Deno.mkdir(join(checkpoints, "old"), { recursive: true });
    await Deno.writeTextFile(join(folder, "config.json"), "{}");
    const config = join(run, "config.json");
    await checkResultFile(config);
    await Deno.writeTextFile(config, "{}");
    await Deno.symlink(checkpoints, join(folder, "link"));
    await Deno.writeTextFile(join(folder, "elsewhere"), "");
    await Deno.symlink(join(folder, "elsewhere"), join(checkpoints, "away"));
    for (
      const path of [
        ...[config, join(run, "log.jsonl"), join(checkpoints, "step-000001.safetensors")],
        ...[join(checkpoints, "new"), join(checkpoints, "old", "x"), join(folder, "link", "x")],
        join(folder, "link", "away"),
        join(run, "samples", "..", "checkpoints", "x"),
      ]
    ) {
      const why = `Cannot write ${path}: the file must not be among those that the run in ${run} `;
      await assertRejects(() => checkResultFile(path), UsageError, why);
    }
    await checkResultFile(join(run, "evaluation.json"));
  });
});

Deno.test("checkGivenFiles() refuses the first that is no file", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "file"), none = join(folder, "none");
    await Deno.writeTextFile(file, "");
    await checkGivenFiles(file, undefined);
    const absent = () => checkGivenFiles(undefined, file, none, folder);
    await assertRejects(absent, UsageError, `Cannot read ${none}: there is no such file`);
    await assertRejects(() => checkGivenFiles(folder), UsageError, "it is a folder");
  });
});

Deno.test("commands refuse mistaken places in one line with code 2, before any work", async () => {
  await inFolder(async (folder) => {
    const file = join(folder, "file"), none = join(folder, "none"), npz = join(folder, "out.npz");
    await Deno.writeTextFile(file, "");
    const json = join(folder, "out.json");
    for (const path of [npz, json]) await Deno.mkdir(path);
    const cases: [command: string, part: string][] = [
      [`eval.ts --checkpoint ${none} --out ${json}`, "must name a file"],
      [`eval.ts --checkpoint ${none} --out ${none}.txt`, "the file's name must end in .json"],
      [`eval.ts --checkpoint ${none} --reference ${none}.npz`, "there is no such file"],
      [`eval.ts --checkpoint ${none} --inception-weights ${none}.pth`, "there is no such file"],
      [`eval.ts --checkpoint ${none} --dinov2-weights ${none}.pth`, "there is no such file"],
      [`dev/soak/main.ts --out ${json}`, "must name a file"],
      [`commands/features/main.ts synthetic --out ${folder}`, "must name a file"],
      [`commands/stats/main.ts synthetic ${npz}`, "must name a file"],
      [`commands/stats/main.ts synthetic ${none}.txt`, "must end in .npz"],
      [
        `commands/stats/main.ts synthetic ${none}.npz --inception-weights ${none}`,
        "there is no such file",
      ],
      [`commands/outliers/main.ts --out-set synthetic --lpips ${none}.pt`, "there is no such file"],
      [`commands/bench/main.ts --save ${json}`, "must name a file"],
      [`dev/killtest/main.ts --dir ${folder}`, "the folder must be empty, it has"],
      [`commands/bench/main.ts --compare ${none}.json`, "there is no such file"],
      [`commands/tune/main.ts config/smoke.json --folder ${file}`, "one is a file"],
      [`commands/data/main.ts synthetic --out ${none}.jpg`, "must end in .png"],
      [`commands/data/main.ts synthetic --out ${file}/x.png`, "one is a file"],
      [
        `commands/data/main.ts mnist --data.dir=${none}`,
        "data.dir must name something that exists",
      ],
    ];
    for (const [command, part] of cases) {
      const [script = "", ...args] = command.split(" ");
      const result = await runScript(script, args);
      const lines = errorLines(result);
      assertEquals([result.code, result.out, lines.length], [2, "", 1], `${command}: ${lines}`);
      assertStringIncludes(lines[0]!, part);
    }
  });
});

Deno.test("what commands write by default into the project's folder is ignored by git", async () => {
  await inFolder(async (folder) => {
    const git = async (...args: string[]) => {
      const { stdout } = await new Deno.Command("git", { args, cwd: folder }).output();
      return new TextDecoder().decode(stdout).trim().split("\n");
    };
    await git("init", "--quiet");
    await Deno.copyFile(join(ROOT, ".gitignore"), join(folder, ".gitignore"));
    const ignored = ["samples.png", "eval-mnist-test.json", "images.eval.json.state", "runs/a"];
    const kept = ["eval.ts", "docs/results/samples.png", "config/eval-mnist.json"];
    assertEquals(await git("check-ignore", ...ignored, ...kept), ignored);
  });
});
