import { join } from "node:path";
import { readStatistics } from "../../../metrics/judges/statistics_file.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { errorLines, inFolderWithCache, runScript } from "../../support/runs.ts";

const SHAPES = [
  ...["--data.size=8", "--data.synthetic.kind=shapes", "--data.synthetic.channels=1"],
  ...["--data.synthetic.count=100", "--data.holdout=40"],
];

Deno.test("features trains a classifier, stats writes its moments, and eval takes them", async () => {
  await inFolderWithCache(async (folder) => {
    const trained = await runScript("commands/features/main.ts", [
      "synthetic",
      "--steps",
      "3",
      ...SHAPES,
    ]);
    assertEquals(trained.code, 0, trained.err);
    assertStringIncludes(trained.out, "own classifier of synthetic 8x8x1");
    const again = await runScript("commands/features/main.ts", [
      "synthetic",
      "--steps",
      "4",
      ...SHAPES,
    ]);
    // The second time it is there.
    assert(!again.out.includes("Training"), again.out);
    const kept =
      /^note: .*8x8x1-.*\.safetensors is there already, of 3 steps, not 4, [\d.]+ % of the /;
    assertMatch(errorLines(again)[0] ?? "", kept);
    const path = join(folder, "shapes.npz");
    const written = await runScript("commands/stats/main.ts", [
      ...["synthetic:test", path, "--features", "own", ...SHAPES],
    ]);
    assertEquals(written.code, 0, written.err);
    const statistics = await readStatistics(path);
    assertEquals([statistics.dimension, statistics.count], [64, 40]);
    assertStringIncludes(statistics.features ?? "", "own classifier of synthetic 8x8x1");
    const out = join(folder, "report.json");
    const judged = await runScript("eval.ts", [
      ...["--images", "synthetic:test", "--reference", path, "--features", "own"],
      ...["--metrics", "fid,is,kid", "--out", out, ...SHAPES],
    ]);
    assertEquals(judged.code, 0, judged.err);
    assertStringIncludes(judged.out, "Kernel distance left out");
    const { metrics, features } = JSON.parse(await Deno.readTextFile(out));
    assertEquals(features, statistics.features);
    assert(metrics.frechetDistance.value < 1e-6, JSON.stringify(metrics));
    assertStringIncludes(metrics.frechetDistance.note, "of 64: it depends on the number of images");
    assert(metrics.inceptionScore.value >= 1);
  });
});

Deno.test("stats refuses missing and wrong arguments with one line and code 2", async () => {
  const cases: [args: string[], part: string][] = [
    [["synthetic"], "a data set and a file must be named"],
    [["letters", "out.npz"], "must be one of"],
    [["synthetic", "out.npz", "--train.steps=3"], "only keys below data"],
    [["synthetic", "out.npz", "--features", "own"], "must have classes, synthetic train has none"],
  ];
  const results = await Promise.all(
    cases.map(([args]) => runScript("commands/stats/main.ts", args)),
  );
  results.forEach((result, i) => {
    const lines = errorLines(result);
    assertEquals([result.code, lines.length], [2, 1], lines.join("\n"));
    assertStringIncludes(lines[0]!, cases[i]![1]);
    assert(!lines[0]!.includes("--reference"), "an option that stats does not have");
  });
});

Deno.test("features refuses a set without classes with one line and code 2, and trains nothing", async () => {
  const result = await runScript("commands/features/main.ts", ["synthetic", "--steps", "3"]);
  const lines = errorLines(result);
  assertEquals([result.code, result.out, lines.length], [2, "", 1], lines.join("\n"));
  assertStringIncludes(lines[0]!, "the data set must have classes, synthetic train has none");
});
