import { join } from "node:path";
import { decodePng } from "../../../formats/png.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { errorLines, ROOT, runScript } from "../../support/runs.ts";

/** Two methods and two seeds of config/smoke.json's size. */
async function writeGrid(dir: string): Promise<string> {
  const { $schema: _, ...smoke } = JSON.parse(await Deno.readTextFile(`${ROOT}config/smoke.json`));
  const path = join(dir, "grid.json");
  const grid = {
    about: "a try",
    dir: join(dir, "grid"),
    seeds: [1, 2],
    samples: { count: 20, steps: 3, seed: 7 },
    config: {
      ...smoke,
      train: { ...smoke.train, steps: 4, sampleEvery: 4, checkpointEvery: 2 },
      // So few samples would leave most bins empty.
      instruments: { timestepBins: 1 },
    },
    methods: { plain: {}, low: { "diffusion.timestepSampler.name": "reweighted" } },
  };
  await Deno.writeTextFile(path, JSON.stringify(grid));
  return path;
}

async function filesBelow(dir: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const entry of [...Deno.readDirSync(dir)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(dir, entry.name);
    if (entry.isFile) files.set(entry.name, await Deno.readFile(path));
    else {for (const [name, bytes] of await filesBelow(path)) {
        files.set(`${entry.name}/${name}`, bytes);
      }}
  }
  return files;
}

/** What must not depend on when the experiment was stopped: all but what comes from a clock. */
function timeless(files: ReadonlyMap<string, Uint8Array>): [string, unknown][] {
  return [...files].map(([name, bytes]) => {
    if (!name.endsWith("log.jsonl")) return [name, bytes];
    const text = new TextDecoder().decode(bytes);
    return [name, text.replaceAll(/,"imagesPerSecond":[^,}]*/g, "")];
  });
}

Deno.test("experiment runs a grid, goes on after it was killed at any point, and ends with one table", () =>
  inFolder(async (dir) => {
    const path = await writeGrid(dir);
    const whole = await runScript("commands/experiment/main.ts", [path]);
    assertEquals([whole.code, errorLines(whole).filter((l) => l.startsWith("error"))], [0, []]);
    assertStringIncludes(whole.out, "Run 4 of 4: low, seed 2");
    assertStringIncludes(whole.out, "Differences from plain at the same seed");
    const files = await filesBelow(join(dir, "grid"));
    for (const run of ["plain/seed-1", "low/seed-2"]) {
      assert(files.has(`${run}/samples/final.safetensors`));
      const { data, samples } = JSON.parse(
        new TextDecoder().decode(files.get(`${run}/samples/final.json`)),
      );
      assertEquals([data.count, samples.count], [32, 20]);
    }
    const table = new TextDecoder().decode(files.get("table.md"));
    assertStringIncludes(table, "| plain | 2 |");
    assertStringIncludes(table, "spectral distance");
    const { comparisons } = JSON.parse(new TextDecoder().decode(files.get("table.json")));
    assert(comparisons.some(({ within }: { within: unknown[] }) => within.length === 2));

    // As a kill leaves it: a run in the middle, one without samples, one not begun.
    const at = (...parts: string[]) => join(dir, "grid", ...parts);
    await Deno.remove(at("table.md"));
    await Deno.remove(at("low", "seed-1", "samples", "final.safetensors"));
    await Deno.remove(at("plain", "seed-2", "samples"), { recursive: true });
    await Deno.remove(at("plain", "seed-2", "checkpoints", "step-000004.safetensors"));
    await Deno.remove(at("low", "seed-2"), { recursive: true });
    const again = await runScript("commands/experiment/main.ts", [path, "--jobs=2"]);
    assertEquals(again.code, 0, again.err);
    assertMatch(again.out, /^plain\/seed-2: steps .*going on after 2$/m);
    assertEquals(timeless(await filesBelow(join(dir, "grid"))), timeless(files));

    // Fewer samples are drawn and judged anew.
    const fewer = JSON.parse(await Deno.readTextFile(path));
    fewer.samples.count = 12;
    await Deno.writeTextFile(path, JSON.stringify(fewer));
    assertEquals((await runScript("commands/experiment/main.ts", [path])).code, 0);
    const judged = JSON.parse(
      await Deno.readTextFile(at("low", "seed-2", "samples", "final.json")),
    );
    assertEquals(judged.samples.count, 12);

    const other = await runScript("commands/experiment/main.ts", [path, "--optim.lr=0.5"]);
    assertEquals(other.code, 2);
    assertStringIncludes(other.err, "it holds another");

    const report = await runScript("commands/report/main.ts", [join(dir, "grid")]);
    assertEquals(report.code, 0);
    const pictures = await filesBelow(join(dir, "grid", "report"));
    assertEquals([...pictures.keys()], [
      ...["bands.png", "bands.svg", "classifier.png", "classifier.svg", "heatmap.png"],
      ...["heatmap.svg", "index.html", "loss.png"],
      ...["loss.svg", "predictions.png", "predictions.svg", "samples.png", "samples.svg"],
      ...["spectra.png", "spectra.svg"],
    ]);
    for (const [name, bytes] of pictures) {
      if (name.endsWith(".png")) assert(decodePng(bytes).width > 600, name);
    }
    const page = new TextDecoder().decode(pictures.get("index.html"));
    assertEquals(page.match(/<svg xmlns=/g)?.length, 7);
    assertStringIncludes(page, "comparisons (Holm 1979)");
    // Nothing is fetched from elsewhere.
    assertEquals([...page.matchAll(/(?:href|src)="(?!data:)[^"]*"/g)].map(([link]) => link), []);
    assertStringIncludes(page, "diffusion.timestepSampler.name = &quot;reweighted&quot;");
  }));

Deno.test("experiment and report refuse wrong use with one line and code 2", () =>
  inFolder(async (dir) => {
    const cases: [string, string[], string][] = [
      ["commands/experiment/main.ts", [], "its file must be named"],
      ["commands/experiment/main.ts", [join(dir, "none.json")], "there is no such file"],
      ["commands/report/main.ts", [], "a run's folder must be named"],
      ["commands/report/main.ts", [dir], "the folder of a run, or have runs in it"],
    ];
    for (const [script, args, part] of cases) {
      const result = await runScript(script, args);
      assertEquals(result.code, 2);
      assertEquals(errorLines(result).length, 1);
      assertStringIncludes(errorLines(result)[0]!, part);
    }
  }));
