import { join } from "node:path";
import { decodePng, encodePng } from "../formats/png.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "./support/assert.ts";
import { SHAPE_NAMES } from "../data/sets/shapes.ts";
import { inFolder } from "./support/folder.ts";
import {
  errorLines,
  ROOT,
  runScript,
  type ScriptResult,
  smokeConfig,
  trainInFolder,
} from "./support/runs.ts";

function assertFails(result: ScriptResult, code: number, part: string): void {
  const lines = errorLines(result);
  assertEquals([result.code, lines.length], [code, 1], lines.join("\n"));
  assertMatch(lines[0]!, /^error: Cannot /);
  assertStringIncludes(lines[0]!, part);
}

/** A picture of the smoke model's size. */
function picture(value: (x: number, y: number) => number, side = 8): Uint8Array {
  const data = Uint8Array.from(
    { length: side * side },
    (_, i) => value(i % side, Math.floor(i / side)),
  );
  return encodePng({ width: side, height: side, channels: 1, data });
}

Deno.test("sample refuses wrong use with one line and code 2, a damaged file with 1", async () => {
  await inFolder(async (folder) => {
    const run = join(folder, "run");
    await trainInFolder(await smokeConfig("train.steps=1", "train.sampleEvery=0"), run);
    const whole = join(run, "checkpoints", "step-000001.safetensors");
    const damaged = join(folder, "damaged.safetensors");
    await Deno.writeFile(damaged, (await Deno.readFile(whole)).subarray(0, 5000));
    await Deno.mkdir(join(folder, "empty"));
    const [image, mask, large] = ["image.png", "mask.png", "large.png"].map((it) =>
      join(folder, it)
    );
    await Deno.writeFile(image!, picture((x) => 20 * x));
    await Deno.writeFile(mask!, picture((x) => x < 4 ? 255 : 0));
    await Deno.writeFile(large!, picture(() => 255, 9));
    const missing = join(folder, "no", "such", "folder");
    const from = (...args: string[]) => ["--checkpoint", whole, ...args];
    const cases: [args: string[], code: number, part: string][] = [
      [["--cont", "3"], 2, "--count"],
      [["--count", "0"], 2, "must be an integer of at least 1"],
      [["--seed", "x"], 2, '--seed must be an integer of at least 0, got "x"'],
      [["--seed", "9".repeat(20)], 2, "must be an integer from 0 to 9007199254740991"],
      [
        ["--seeds", "1,x"],
        2,
        'must be integers from 0 to 9007199254740991 and ranges, as in 5,17,100-120, got "x"',
      ],
      [["--eta", "1.5"], 2, "must be a number from 0 to 1"],
      [["--sampler", "newton"], 2, "ddpm, ddim, dpmpp-2m"],
      [["--checkpoint", ""], 2, '--checkpoint must have a value, got ""'],
      [["--checkpoint", join(folder, "none")], 2, "there is no such file or folder"],
      [["--checkpoint", join(folder, "empty")], 2, "must hold one, it has none"],
      [from("--steps", "21"), 2, "from 1 to 20, got 21"],
      [from("--sampler", "ddpm", "--steps", "5"), 2, "every timestep"],
      [from("--out", join(missing, "grid.png")), 2, `the folder ${missing} must exist`],
      // A folder of Linux's that nobody can write to.
      ...["--out /proc/grid.png", "--strip /proc/s.png", "--movie /proc/m.gif", "--images /proc/i"]
        .filter(() => Deno.build.os === "linux").map((option): typeof cases[number] => {
          const [name = "", place = ""] = option.split(" ");
          return [from(name, place), 2, `${place}: the path must exist`];
        }),
      [from("--out", folder), 2, "--out must end in .png"],
      [from("--out", join(folder, "grid.jpg")), 2, "--out must end in .png"],
      [from("--movie", join(folder, "m.png")), 2, "--movie must end in .gif"],
      [from("--movie-x0"), 2, "it must come with --movie"],
      [from("--strip-steps", "3"), 2, "it must come with --strip"],
      [from("--seeds", "1,2", "--count", "3"), 2, "Cannot use --count with --seeds"],
      [from("--count", "5000"), 2, "it must have at most 4096"],
      [from("--interpolate", "1"), 2, "must be two integers from 0 to 9007199254740991, as in 3,8"],
      [from("--interpolate", "1,2", "--sampler", "ddpm"), 2, "Cannot interpolate with ddpm"],
      [from("--interpolate", "1,2", "--eta", "1"), 2, "Cannot interpolate with eta 1"],
      [from("--interpolate", "1,2", "--count", "1"), 2, "--count must be at least 2"],
      [from("--interpolate", "1,2", "--seed", "3"), 2, "Cannot use --seed with --interpolate"],
      [from("--invert", join(folder, "none.png")), 2, "there is no such file"],
      [from("--invert", large!), 2, "Cannot invert"],
      [from("--invert", image!, "--sampler", "dpmpp-2m-sde"), 2, "Cannot invert with dpmpp-2m-sde"],
      [from("--invert", image!, "--churn", "2", "--sampler", "heun"), 2, "invert with churn 2"],
      [from("--invert", image!, "--count", "2"), 2, "Cannot use --count with --invert"],
      [from("--inpaint", image!), 2, "it must come with --mask"],
      [from("--jump", "3"), 2, "it must come with --inpaint"],
      [from("--inpaint", join(folder, "none.png"), "--mask", mask!), 2, "there is no such file"],
      [
        from("--inpaint", image!, "--mask", large!),
        2,
        "must be 8x8 pixels as the model's images, got 9x9",
      ],
      [from("--inpaint", image!, "--mask", mask!, "--sampler", "dpmpp-2m"), 2, "take ddpm or ddim"],
      [
        from("--inpaint", image!, "--mask", mask!, "--jump", "9"),
        2,
        "jump must be a whole number from 1 to 3",
      ],
      [from("--images", whole), 2, "it must be a folder, it is a file"],
      [from("--images", folder), 2, "it has PNGs without one"],
      [["--checkpoint", damaged], 1, "damaged.safetensors"],
    ];
    // Some at a time: each is a process.
    for (let at = 0; at < cases.length; at += 4) {
      const some = cases.slice(at, at + 4);
      const results = await Promise.all(some.map(([args]) => runScript("sample.ts", args, folder)));
      results.forEach((result, i) => {
        assertFails(result, some[i]![1], some[i]![2]);
        assertEquals(result.out, "", "nothing must have begun");
      });
    }
    assert(![...Deno.readDirSync(folder)].some(({ name }) => name === "samples.png"));
    const nowhere = await runScript("sample.ts", [], join(folder, "empty"));
    assertFails(nowhere, 2, "there is no run below runs/");
  });
});

const pixelsOf = async (path: string) => decodePng(await Deno.readFile(path)).data;

Deno.test("sample draws a grid, single images, a movie and a strip, the same for a seed at any count", () =>
  inFolder(async (folder) => {
    const run = join(folder, "runs", "smoke");
    const { picture } = await trainInFolder(await smokeConfig("train.steps=3"), run);
    const path = (name: string) => join(folder, name);
    const first = await runScript("sample.ts", [
      ...["--count", "4", "--images", path("images"), "--movie", path("m.gif")],
      ...["--out", path("samples.png"), "--strip", path("strip.png"), "--strip-steps", "3"],
    ], folder);
    assertEquals(first.code, 0, first.err);
    assertStringIncludes(first.out, join("runs", "smoke"));
    // The run's own preview has the same seeds, sampler and weights.
    assertEquals(await Deno.readFile(path("samples.png")), await Deno.readFile(picture!));
    assertEquals(
      new TextDecoder().decode((await Deno.readFile(path("m.gif"))).subarray(0, 6)),
      "GIF89a",
    );
    assertEquals(decodePng(await Deno.readFile(path("strip.png"))).channels, 3);
    const names = [...Deno.readDirSync(path("images"))].map(({ name }) => name).sort();
    assertEquals(names, ["000000.png", "000001.png", "000002.png", "000003.png", "manifest.json"]);

    const more = [
      ["--count", "1", "--seed", "2", "--images", path("one")],
      ["--count", "19", "--images", path("many")],
      ["--seeds", "40,2,7-8", "--images", path("chosen")],
      ["--count", "1", "--seed", "2", "--weights", "raw", "--images", path("raw")],
      ["--count", "1", "--seed", "2", "--no-clip", "--images", path("unclipped")],
    ];
    const results = await Promise.all(
      more.map((args) => runScript("sample.ts", args, folder)),
    );
    for (const { code, err } of results) assertEquals(code, 0, err);
    const pixels = (name: string) => pixelsOf(join(path(name), "000002.png"));
    const expected = await pixels("images");
    assertEquals(await pixels("one"), expected);
    assertEquals(await pixels("many"), expected);
    assertEquals(await pixels("chosen"), expected);
    const chosen = [...Deno.readDirSync(path("chosen"))].map(({ name }) => name).sort();
    assertEquals(chosen.slice(0, 4), ["000002.png", "000007.png", "000008.png", "000040.png"]);
    for (const other of ["raw", "unclipped"]) {
      assert(
        (await pixels(other)).some((value, i) => value !== expected[i]),
        `${other} must differ`,
      );
    }
  }));

Deno.test("sample --interpolate goes from one seed's image to the other's", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    await trainInFolder(await smokeConfig("train.steps=2", "train.sampleEvery=0"), run);
    const path = (name: string) => join(folder, name);
    const noiseless = ["--checkpoint", run, "--sampler", "ddim", "--steps", "4", "--eta", "0"];
    const results = await Promise.all([
      ["--checkpoint", run, "--interpolate", "3,8", "--count", "20", "--steps", "4"],
      [...noiseless, "--seeds", "3,8"],
    ].map((args, i) =>
      runScript("sample.ts", [
        ...[...args, "--images", path(`${i}`), "--out", path(`${i}.png`)],
        ...["--movie", path(`${i}.gif`)],
      ], folder)
    ));
    for (const { code, err } of results) assertEquals(code, 0, err);
    const way = await Promise.all(Array.from({ length: 20 }, (_, i) => {
      return pixelsOf(join(path("0"), `000003-000008-${String(i).padStart(3, "0")}.png`));
    }));
    assertEquals(way[0], await pixelsOf(join(path("1"), "000003.png")));
    assertEquals(way[19], await pixelsOf(join(path("1"), "000008.png")));
    const distance = (a: Uint8Array, b: Uint8Array) =>
      a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0);
    const whole = distance(way[0]!, way[19]!);
    for (let i = 1; i < 20; i++) {
      const step = distance(way[i - 1]!, way[i]!);
      assert(step > 0 && step < whole / 2, `step ${i}: ${step} of ${whole}`);
    }
    // A row has 16 images, 8 + 1 pixels each, twelve screen pixels a pixel.
    assertEquals(decodePng(await Deno.readFile(path("0.png"))).width, (16 * 9 + 1) * 12);
  }));

Deno.test("sample --inpaint fills in what is white and keeps the rest, byte for byte", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    await trainInFolder(await smokeConfig("train.steps=2", "train.sampleEvery=0"), run);
    const path = (name: string) => join(folder, name);
    await Deno.writeFile(path("image.png"), picture((x, y) => 31 * x + y));
    await Deno.writeFile(path("mask.png"), picture((x, y) => x > 2 && y > 4 ? 255 : 0));
    const inpaint = [
      ...["--checkpoint", run, "--inpaint", path("image.png"), "--mask", path("mask.png")],
    ];
    const results = await Promise.all([
      ["--count", "3", "--sampler", "ddpm"],
      ["--count", "3", "--resample", "1"],
      ["--seeds", "1", "--resample", "1"],
    ].map((args, i) =>
      runScript("sample.ts", [
        ...[...inpaint, ...args, "--images", path(`${i}`), "--out", path(`${i}.png`)],
        ...["--strip", path(`${i}-strip.png`), "--movie", path(`${i}.gif`)],
      ], folder)
    ));
    for (const { code, err } of results) assertEquals(code, 0, err);
    results.forEach(({ out, err }, i) => {
      const [, told] = /in (\d+) steps/.exec(out) ?? [];
      const images = i < 2 ? "3/3 images" : "1/1 image";
      assert(told && err.includes(`sample ${told}/${told}  ${images}\n`), `${out}\n${err}`);
    });
    assertStringIncludes(results[0]!.out, "of them to go over parts of the way again");
    assertStringIncludes(results[2]!.out, "Sampling 1 image from");
    const given = await pixelsOf(path("image.png"));
    const fills = await Promise.all(
      ["0/000000", "0/000001", "1/000000", "1/000001", "2/000001"].map(
        (name) => pixelsOf(path(`${name}.png`)),
      ),
    );
    for (const fill of fills) {
      const differs = given.map((value, i) => value === fill[i] ? 0 : 1);
      const inside = given.map((_, i) => i % 8 > 2 && i >= 40 ? 1 : 0);
      assert(differs.every((value, i) => value <= inside[i]!), "known pixels must stay");
      assert(differs.some((value) => value === 1), "missing pixels must be made");
    }
    assertEquals(new Set(fills.map((fill) => fill.join())).size, 4, "seeds and ways must differ");
    assertEquals(fills[3], fills[4]);
    // The grid begins with what is known: four places for three images.
    assertEquals(decodePng(await Deno.readFile(path("0.png"))).width, (2 * 9 + 1) * 12);
  }));

/** Runs `body` beside the command, signals it, and gives what it said; its errors are dropped. */
async function signalSample(
  args: readonly string[],
  signal: Deno.Signal,
  body: (stdout: ReadableStream<Uint8Array>) => Promise<void>,
): Promise<{ code: number; out: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}sample.ts`, ...args],
    ...{ stdout: "piped", stderr: "null" } as const,
  }).spawn();
  try {
    await body(child.stdout);
  } catch (error) {
    child.kill("SIGKILL");
    await child.output();
    throw error;
  }
  child.kill(signal);
  const { code, stdout } = await child.output();
  return { code, out: new TextDecoder().decode(stdout) };
}

/** Waits until a folder has some PNGs. */
async function waitForImages(folder: string, atLeast: number): Promise<void> {
  // Minutes, for machines with other things to do.
  for (let tries = 0; tries < 12_000; tries++) {
    if (countImages(folder) >= atLeast) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${folder} must get ${atLeast} images`);
}

function countImages(folder: string): number {
  try {
    return [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".png")).length;
  } catch {
    return 0;
  }
}

Deno.test("sample --images goes on after Ctrl-C and after a kill, and ends with the same bytes", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    await trainInFolder(await smokeConfig("train.steps=1", "train.sampleEvery=0"), run);
    const path = (name: string) => join(folder, name);
    const many = ["--checkpoint", run, "--sampler", "ddpm", "--batch", "4", "--count"];
    const cut = [...many, "100000", "--images", path("cut")];

    const wait = (count: number) => () => waitForImages(path("cut"), count);
    const { code, out } = await signalSample(cut, "SIGINT", wait(5));
    const stopped = countImages(path("cut"));
    assertEquals(code, 0, out);
    const told = `Stopped: ${
      path("cut")
    } has ${stopped} of 100000 images; the same command goes on`;
    assertStringIncludes(out, told);

    const times = new Map(
      [...Deno.readDirSync(path("cut"))].map(({ name }) =>
        [name, Deno.statSync(join(path("cut"), name)).mtime!.getTime()] as const
      ),
    );
    await signalSample(cut, "SIGKILL", wait(stopped + 5));
    const before = countImages(path("cut"));

    const third = await runScript("sample.ts", [...many, `${before + 6}`, "--images", path("cut")]);
    assertEquals(third.code, 0, third.err);
    assertStringIncludes(third.out, `has all ${before + 6} images`);
    for (const [name, time] of times) {
      assertEquals(Deno.statSync(join(path("cut"), name)).mtime!.getTime(), time, name);
    }
    const whole = await runScript("sample.ts", [
      ...many,
      `${before + 6}`,
      "--images",
      path("whole"),
    ]);
    assertEquals(whole.code, 0, whole.err);
    const names = [...Deno.readDirSync(path("whole"))].map(({ name }) => name);
    assertEquals(names.length, before + 7);
    for (const name of names) {
      assertEquals(
        await Deno.readFile(join(path("cut"), name)),
        await Deno.readFile(join(path("whole"), name)),
      );
    }
    assert(![...Deno.readDirSync(path("cut"))].some(({ name }) => name.endsWith(".tmp")));

    const again = await runScript("sample.ts", [...many, "5", "--images", path("whole")]);
    assertStringIncludes(again.out, "there was nothing left to do");
    const refused: [string[], string][] = [
      [["--sampler", "ddim"], '"ddpm"'],
      [["--seed", "1"], "seed must be 0 as in its manifest.json, got 1"],
      [["--weights", "raw"], 'weights must be "ema"'],
    ];
    for (const [args, part] of refused) {
      const other = [...many, "5", ...args, "--images", path("whole")];
      assertFails(await runScript("sample.ts", other), 2, part);
    }
  }));

Deno.test("sample without a folder says that a signal left nothing behind", () =>
  inFolder(async (folder) => {
    const run = join(folder, "run");
    await trainInFolder(await smokeConfig("train.steps=1", "train.sampleEvery=0"), run);
    const out = join(folder, "grid.png");
    const args = ["--checkpoint", run, "--sampler", "ddpm", "--batch", "1", "--count", "4000"];
    const { code, out: said } = await signalSample(
      [...args, "--out", out],
      "SIGTERM",
      async (stdout) => {
        // Its first line comes once it listens to signals.
        const reader = stdout.getReader();
        await reader.read();
        reader.releaseLock();
      },
    );
    assertEquals([code, said], [130, "Stopped: nothing was written\n"]);
    await assertRejects(() => Deno.stat(out), Deno.errors.NotFound);
  }));

Deno.test("sample draws classes by name in columns, guided, and tells them in the manifest", async () => {
  await inFolder(async (folder) => {
    const run = join(folder, "run"), images = join(folder, "images"), out = join(folder, "g.png");
    const config = await smokeConfig(
      ...["train.steps=1", "train.sampleEvery=0", "train.evalEvery=0"],
      ...["model.classes=6", "model.labelDropout=0.5"],
    );
    await trainInFolder(config, run);
    const file = join(run, "checkpoints", "step-000001.safetensors");
    const args = ["--checkpoint", file, "--class", `${SHAPE_NAMES[2]},0`, "--guidance", "2"];
    const drawn = await runScript(
      "sample.ts",
      [...args, "--count", "8", "--out", out, "--images", images, "--guidance-rescale", "0.5"],
    );
    assertEquals(drawn.code, 0, drawn.err);
    const { classes, guidance } = JSON.parse(
      await Deno.readTextFile(join(images, "manifest.json")),
    );
    assertEquals([classes, guidance], [[2, 0], { scale: 2, interval: null, rescale: 0.5 }]);
    const grid = decodePng(await Deno.readFile(out));
    // Two columns and four rows of a class each, where eight images have three columns otherwise.
    assert(grid.height > 1.8 * grid.width, `${grid.height} x ${grid.width}`);
    const other = await runScript("sample.ts", [...args, "--count", "8", "--images", images]);
    assertFails(other, 2, "guidance must be");
    // A network that is its own guide is guided nowhere.
    const plain = ["--checkpoint", file, "--count", "2", "--out"];
    const [itself, alone] = await Promise.all([
      runScript("sample.ts", [...plain, `${out}.1.png`, "--guidance", "3", "--guide", run]),
      runScript("sample.ts", [...plain, `${out}.2.png`]),
    ]);
    assertEquals([itself.code, alone.code], [0, 0], itself.err + alone.err);
    assertEquals(await Deno.readFile(`${out}.1.png`), await Deno.readFile(`${out}.2.png`));
  });
});
