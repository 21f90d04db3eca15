import { join } from "node:path";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "./support/assert.ts";
import {
  errorLines,
  inFolderWithCache,
  runScript,
  smokeConfig,
  trainInFolder,
} from "./support/runs.ts";

const evaluate = (...args: string[]) => runScript("eval.ts", args);

Deno.test("eval judges a checkpoint, the same again, and a folder of its images likewise", async () => {
  await inFolderWithCache(async (folder) => {
    const dir = join(folder, "run");
    await trainInFolder(await smokeConfig(), dir);
    const few = ["--metrics", "spectrum", "--count", "8"];
    const first = await evaluate("--checkpoint", dir, ...few);
    assertEquals(first.code, 0, first.err);
    assertMatch(first.out, /spectral distance/);
    assertMatch(first.out, /^Judging samples of .*: 8 images against synthetic train$/m);
    assert(!first.out.includes("earlier result"), first.out);
    const path = join(dir, "evaluations", "step-000006-ema.json");
    const report = JSON.parse(await Deno.readTextFile(path));
    assertEquals([report.subject.step, report.subject.count, report.features], [6, 8, null]);
    const { value } = report.metrics.spectralDistance;
    assert(value > 0);
    const replaced = await evaluate("--checkpoint", dir, "--metrics", "spectrum", "--count", "6");
    assertEquals(replaced.code, 0, replaced.err);
    assertStringIncludes(replaced.out, `note: the earlier result at ${path} will be replaced\n`);
    assertEquals(JSON.parse(await Deno.readTextFile(path)).subject.count, 6);
    const images = join(folder, "images");
    const drawn = await runScript("sample.ts", [
      ...["--checkpoint", dir, "--count", "8", "--images", images],
      ...["--out", join(folder, "grid.png")],
    ]);
    assertEquals(drawn.code, 0, drawn.err);
    const out = join(folder, "folder.json");
    const same = await evaluate(
      ...["--images", images, "--reference", "synthetic", "--metrics", "spectrum", "--out", out],
      ...["--data.synthetic.kind=shapes", "--data.synthetic.channels=1"],
      "--data.synthetic.count=32",
    );
    assertEquals(same.code, 0, same.err);
    const again = JSON.parse(await Deno.readTextFile(out));
    assertEquals(again.metrics.spectralDistance.value, value);
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".state")), []);
  });
});

Deno.test("eval refuses wrong use with one line and code 2", async () => {
  await inFolderWithCache(async (folder) => {
    const cases: [args: string[], part: string][] = [
      [["--metrics", "fid,beauty"], "must be some of fid,is,kid,precision,spectrum"],
      [["--checkpoint", "a", "--images", "b"], "either --checkpoint or --images"],
      [["--images", folder], "must hold PNGs or JPEGs, it has none"],
      [["--checkpoint", join(folder, "none")], "there is no such file or folder"],
    ];
    const results = await Promise.all(cases.map(([args]) => evaluate(...args)));
    results.forEach((result, i) => {
      const lines = errorLines(result);
      assertEquals([result.code, lines.length], [2, 1], lines.join("\n"));
      assertStringIncludes(lines[0]!, cases[i]![1]);
    });
  });
});
