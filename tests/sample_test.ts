import { join } from "node:path";
import { decodePng } from "../formats/png.ts";
import { UsageError } from "../support/errors.ts";
import { chooseSampler } from "../tools/sampling.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "./support/assert.ts";
import {
  errorLines,
  inFolder,
  runScript,
  type ScriptResult,
  smokeConfig,
  trainInFolder,
} from "./support/runs.ts";

const DDPM = { name: "ddpm", steps: null, eta: 0, spacing: "uniform" } as const;
const DDIM = { name: "ddim", steps: 7, eta: 0.5, spacing: "trailing" } as const;
const NONE = { sampler: undefined, steps: undefined, eta: undefined, spacing: undefined };

Deno.test("chooseSampler() takes the run's sampler where nothing is given", () => {
  assertEquals(chooseSampler(NONE, { timesteps: 100, sampler: DDIM }), DDIM);
  assertEquals(chooseSampler(NONE, { timesteps: 100, sampler: DDPM }), DDPM);
});

Deno.test("chooseSampler() lets each option replace the run's", () => {
  const run = { timesteps: 100, sampler: DDIM };
  assertEquals(chooseSampler({ ...NONE, steps: 9, eta: 1 }, run), { ...DDIM, steps: 9, eta: 1 });
  assertEquals(chooseSampler({ ...NONE, spacing: "linspace" }, run).spacing, "linspace");
  assertEquals(chooseSampler({ ...NONE, sampler: "ddpm" }, run).steps, null);
  const ddpm = { timesteps: 1000, sampler: DDPM };
  assertEquals(chooseSampler({ ...NONE, sampler: "ddim" }, ddpm).steps, 50);
  assertEquals(chooseSampler({ ...NONE, sampler: "ddim" }, { ...ddpm, timesteps: 20 }).steps, 20);
});

Deno.test("chooseSampler() refuses options that ddpm does not have", () => {
  for (const options of [{ eta: 1 }, { spacing: "uniform" as const }]) {
    assertThrows(
      () => chooseSampler({ ...NONE, ...options }, { timesteps: 100, sampler: DDPM }),
      UsageError,
      `Cannot use --${Object.keys(options)[0]} with ddpm`,
    );
  }
});

function assertFails(result: ScriptResult, code: number, part: string): void {
  const lines = errorLines(result);
  assertEquals([result.code, lines.length], [code, 1], lines.join("\n"));
  assertMatch(lines[0]!, /^error: Cannot /);
  assertStringIncludes(lines[0]!, part);
}

Deno.test("sample refuses wrong use with one line and code 2, a damaged file with 1", async () => {
  await inFolder(async (folder) => {
    const run = join(folder, "run");
    await trainInFolder(await smokeConfig("train.steps=1", "train.sampleEvery=0"), run);
    const whole = join(run, "checkpoints", "step-000001.safetensors");
    const damaged = join(folder, "damaged.safetensors");
    await Deno.writeFile(damaged, (await Deno.readFile(whole)).subarray(0, 5000));
    await Deno.mkdir(join(folder, "empty"));
    const cases: [args: string[], code: number, part: string][] = [
      [["--cont", "3"], 2, "--count"],
      [["--count", "0"], 2, "must be an integer of at least 1"],
      [["--eta", "1.5"], 2, "must be a number from 0 to 1"],
      [["--sampler", "euler"], 2, "ddpm, ddim"],
      [["--checkpoint", join(folder, "none")], 2, "there is no such file or folder"],
      [["--checkpoint", join(folder, "empty")], 2, "must hold a checkpoint"],
      [["--checkpoint", whole, "--steps", "21"], 2, "from 1 to 20, got 21"],
      [["--checkpoint", whole, "--sampler", "ddpm", "--steps", "5"], 2, "every timestep"],
      [["--checkpoint", damaged], 1, "damaged.safetensors"],
    ];
    const results = await Promise.all(cases.map(([args]) => runScript("sample.ts", args)));
    results.forEach((result, i) => assertFails(result, cases[i]![1], cases[i]![2]));
    const nowhere = await runScript("sample.ts", [], join(folder, "empty"));
    assertFails(nowhere, 2, "there is no run below runs/");
  });
});

Deno.test("sample draws a grid, single images and a movie, the same for a seed at any count", () =>
  inFolder(async (folder) => {
    const run = join(folder, "runs", "smoke");
    const { picture } = await trainInFolder(await smokeConfig("train.steps=3"), run);
    const path = (name: string) => join(folder, name);
    const first = await runScript("sample.ts", [
      ...["--count", "4", "--images", path("images"), "--movie", path("m.gif")],
    ], folder);
    assertEquals(first.code, 0, first.err);
    assertStringIncludes(first.out, join("runs", "smoke"));
    // The run's own preview has the same seeds, sampler and weights.
    assertEquals(await Deno.readFile(path("samples.png")), await Deno.readFile(picture!));
    assertEquals(
      new TextDecoder().decode((await Deno.readFile(path("m.gif"))).subarray(0, 6)),
      "GIF89a",
    );
    const names = [...Deno.readDirSync(path("images"))].map(({ name }) => name).sort();
    assertEquals(names, ["000000.png", "000001.png", "000002.png", "000003.png"]);

    const more = [
      ["--count", "1", "--seed", "2", "--images", path("one")],
      ["--count", "19", "--images", path("many")],
      ["--count", "1", "--seed", "2", "--weights", "raw", "--images", path("raw")],
      ["--count", "1", "--seed", "2", "--no-clip", "--images", path("unclipped")],
    ];
    const results = await Promise.all(
      more.map((args, i) => runScript("sample.ts", [...args, "--out", path(`${i}.png`)], folder)),
    );
    for (const { code, err } of results) assertEquals(code, 0, err);
    const pixels = async (name: string) =>
      decodePng(await Deno.readFile(join(path(name), "000002.png"))).data;
    const expected = await pixels("images");
    assertEquals(await pixels("one"), expected);
    assertEquals(await pixels("many"), expected);
    for (const other of ["raw", "unclipped"]) {
      assert(
        (await pixels(other)).some((value, i) => value !== expected[i]),
        `${other} must differ`,
      );
    }
  }));
