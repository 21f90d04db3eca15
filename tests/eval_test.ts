import { join } from "node:path";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "./support/assert.ts";
import { dinoV2File, dinoV2State, SMALL } from "./support/dinov2.ts";
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

Deno.test("eval compares several runs over draws and training seeds, each draw by seeds of its own", () =>
  inFolderWithCache(async (folder) => {
    const runs = [join(folder, "a"), join(folder, "b")];
    for (const [seed, dir] of runs.entries()) {
      await trainInFolder(await smokeConfig(`run.seed=${seed}`, "train.steps=2"), dir);
    }
    const common = ["--metrics", "spectrum", "--count", "8"], out = join(folder, "all.json");
    const all = await evaluate(...runs, ...common, "--draws", "2", "--out", out);
    assertEquals(all.code, 0, all.err);
    assertMatch(all.out, /2 training seeds/);
    const { checkpoints, seeds } = JSON.parse(await Deno.readTextFile(out));
    const values = checkpoints.map((
      { metrics }: { metrics: { spectralDistance: { value: number } } },
    ) => metrics.spectralDistance.value);
    const over = seeds[0].metrics.spectralDistance;
    assertAllClose([over.value], [(values[0] + values[1]) / 2]);
    assertAllClose([over.overSeeds], [Math.abs(values[0] - values[1]) / Math.SQRT2]);
    const own = join(runs[1]!, "evaluations", "step-000002-ema.json");
    const [, second] = JSON.parse(await Deno.readTextFile(own)).metrics.spectralDistance.draws;
    assertEquals(
      [...Deno.readDirSync(join(own, ".."))].map(({ name }) => name),
      ["step-000002-ema.json"],
    );
    const later = await evaluate("--checkpoint", runs[1]!, ...common, "--seed", "8", "--out", out);
    assertEquals(later.code, 0, later.err);
    const alone = JSON.parse(await Deno.readTextFile(out)).metrics.spectralDistance.value;
    assertEquals(alone, second);
  }));

Deno.test("eval judges by DINOv2's features from a file, and leaves out what needs classes", () =>
  inFolderWithCache(async (folder) => {
    const weights = join(folder, "dinov2.safetensors"), out = join(folder, "out.json");
    await Deno.writeFile(weights, dinoV2File(dinoV2State(SMALL)));
    const judged = await evaluate(
      ...["--images", "synthetic:test", "--reference", "synthetic", "--metrics", "fid,is,kid"],
      ...["--features", "dinov2", "--dinov2-weights", weights, "--out", out],
      ...["--data.synthetic.count=24", "--data.size=16", "--count", "24"],
    );
    assertEquals(judged.code, 0, judged.err);
    assertMatch(judged.out, /^Inception Score left out: DINOv2 .* tells no classes apart$/m);
    const { features, metrics } = JSON.parse(await Deno.readTextFile(out));
    assertMatch(features, /^DINOv2 of 1 blocks, 128 channels, patches of 28 \([0-9a-f]{8}\)$/);
    assertEquals(Object.keys(metrics), ["frechetDistance", "kernelDistance"]);
    assert(metrics.frechetDistance.value > 0);
  }));

Deno.test("eval refuses wrong use with one line and code 2", async () => {
  await inFolderWithCache(async (folder) => {
    const cases: [args: string[], part: string][] = [
      [["--metrics", "fid,beauty"], "must be some of fid,is,kid,precision,spectrum"],
      [["--checkpoint", "a", "--images", "b"], "either --checkpoint or --images"],
      [["a", "--checkpoint", "b"], "Cannot judge a and --checkpoint"],
      [["--protocol", "edm", "--draws", "2"], "it has 3 draws"],
      [["--images", folder, "--draws", "2"], "only samples of a checkpoint are drawn"],
      [["a", "b", "--metrics", "nll"], "Cannot use several checkpoints with --metrics nll"],
      [
        ["--images", "synthetic", "--features", "own", "--dinov2-weights", "eval.ts"],
        "Cannot use --dinov2-weights with --features own",
      ],
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
