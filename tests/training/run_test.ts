import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { decodePng } from "../../formats/png.ts";
import { listCheckpoints } from "../../training/checkpoint.ts";
import type { Observer } from "../../training/observer.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const FAST = ["train.sampleEvery=0", "train.evalEvery=0"];

async function bytesOf(dir: string, step: number): Promise<Uint8Array> {
  const name = `step-${String(step).padStart(6, "0")}.safetensors`;
  return await Deno.readFile(join(dir, "checkpoints", name));
}

interface Line {
  step: number;
  loss?: number;
  lr?: number;
  gradNorm?: number;
  imagesPerSecond?: number;
  valLoss?: number;
  event?: string;
  file?: string;
}

async function logOf(dir: string): Promise<Line[]> {
  const text = await Deno.readTextFile(join(dir, "log.jsonl"));
  assert(text.endsWith("\n"));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** A log without its only value that comes from a clock. */
async function timelessLog(dir: string): Promise<Line[]> {
  return (await logOf(dir)).map(({ imagesPerSecond: _, ...line }) => line);
}

async function namesIn(...path: string[]): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(join(...path)), ({ name }) => name)).sort();
}

Deno.test("trainRun() writes the folder that a run is: config, log, samples and checkpoints", () =>
  inFolder(async (dir) => {
    const result = await trainInFolder(await smokeConfig(), dir);
    assertEquals(result.finished, true);
    assertEquals(result.step, 6);
    assertEquals(result.checkpoint, join(dir, "checkpoints", "step-000006.safetensors"));
    assertEquals(result.picture, join(dir, "samples", "step-000006.png"));
    assertEquals(await namesIn(dir), ["checkpoints", "config.json", "log.jsonl", "samples"]);
    assertEquals(await namesIn(dir, "samples"), ["step-000003.png", "step-000006.png"]);
    const png = decodePng(await Deno.readFile(result.picture!));
    assertEquals([png.channels, png.width], [1, 12 * (2 * (8 + 1) + 1)]);

    const log = await logOf(dir);
    const losses = log.filter((line) => line.loss !== undefined);
    assertEquals(losses.map(({ step }) => step), [1, 2, 3, 4, 5, 6]);
    assertEquals(losses.map(({ lr }) => lr), [0, 5e-4, 1e-3, 1e-3, 1e-3, 1e-3]);
    for (const { loss, gradNorm, imagesPerSecond } of losses) {
      for (const value of [loss, gradNorm, imagesPerSecond]) assert(value! > 0 && value! < 1e6);
    }
    const values = log.filter((line) => line.valLoss !== undefined);
    assertEquals(values.map(({ step }) => step), [3, 6]);
    const files = log.flatMap(({ file }) => file ?? []);
    assertEquals(files, [
      "samples/step-000003.png",
      "checkpoints/step-000003.safetensors",
      "samples/step-000006.png",
      "checkpoints/step-000006.safetensors",
    ]);
  }));

Deno.test("trainRun() gives equal files for equal runs", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig("train.steps=3");
    const [a, b] = [join(dir, "a"), join(dir, "b")];
    await trainInFolder(config, a);
    await trainInFolder(config, b);
    assertEquals(await bytesOf(a, 3), await bytesOf(b, 3));
    assertEquals(await timelessLog(a), await timelessLog(b));
    const picture = (run: string) => Deno.readFile(join(run, "samples", "step-000003.png"));
    assertEquals(await picture(a), await picture(b));
  }));

/** Stops a run after some steps, goes on, and compares with one that never stopped. */
async function compareResumed(config: Config, dir: string, stopAfter: number): Promise<void> {
  const [whole, parts] = [join(dir, "whole"), join(dir, "parts")];
  const last = config.train.steps;
  await trainInFolder(config, whole);
  const stopped = await trainInFolder(config, parts, { stopAfter });
  assertEquals([stopped.step, stopped.finished], [stopAfter, false]);
  const resumed = await trainInFolder(config, parts, { resume: true });
  assertEquals([resumed.step, resumed.finished], [last, true]);
  assert(resumed.lines.some((line) => line.includes(`going on after ${stopAfter}`)));
  assertEquals(await bytesOf(parts, last), await bytesOf(whole, last));
  const losses = async (run: string) =>
    (await timelessLog(run)).filter((line) => line.loss !== undefined);
  assertEquals(await losses(parts), await losses(whole));
}

for (const accumulate of [1, 2]) {
  Deno.test(`trainRun() resumed equals a run that never stopped, accumulate ${accumulate}`, () =>
    inFolder(async (dir) => {
      // The stop falls between two lines of the log and into the second epoch.
      const config = await smokeConfig(
        ...FAST,
        `train.accumulate=${accumulate}`,
        "train.logEvery=4",
        "train.steps=13",
        "train.checkpointEvery=0",
      );
      await compareResumed(config, dir, 10);
    }));
}

Deno.test("trainRun() starts from scratch when there is nothing to resume", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...FAST, "train.steps=2");
    const { step, lines } = await trainInFolder(config, join(dir, "new"), { resume: true });
    assertEquals(step, 2);
    assert(!lines.some((line) => line.includes("going on")));
  }));

Deno.test("trainRun() passes over a damaged checkpoint and forgets what came after", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig();
    await trainInFolder(config, dir);
    const [before, log] = [await bytesOf(dir, 6), await timelessLog(dir)];
    await Deno.writeFile(
      join(dir, "checkpoints", "step-000006.safetensors"),
      before.with(before.length - 999, before.at(-999)! ^ 1),
    );
    const { lines, finished } = await trainInFolder(config, dir, { resume: true });
    assertEquals(finished, true);
    const line = lines.find((text) => text.includes("step-000006.safetensors"));
    assertStringIncludes(line ?? "", "its bytes must match its checksum");
    assertStringIncludes(line ?? "", "step-000003.safetensors instead");
    assertEquals(await bytesOf(dir, 6), before);
    assertEquals(await timelessLog(dir), log);
  }));

Deno.test("trainRun() says so when a run is finished already and touches nothing", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...FAST, "train.steps=2");
    await trainInFolder(config, dir);
    const before = await bytesOf(dir, 2);
    const { lines, finished, step } = await trainInFolder(config, dir, { resume: true });
    assertEquals([finished, step], [true, 2]);
    assert(lines.some((line) => line.includes("is finished")));
    assertEquals(await bytesOf(dir, 2), before);
  }));

Deno.test("trainRun() does what a kill right after a checkpoint left undone, and nothing twice", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...FAST, "train.checkpointEvery=1");
    const text = (run: string) => Deno.readTextFile(join(run, "log.jsonl"));
    const [whole, cut] = [join(dir, "whole"), join(dir, "cut")];
    await trainInFolder(config, whole);
    for (const step of [4, 6]) {
      await trainInFolder(config, cut, { resume: true, stopAfter: step });
      const log = await text(cut);
      // The checkpoint is there, its line is not, and the oldest is not yet removed.
      const lines = log.trimEnd().split("\n");
      assertStringIncludes(lines.pop()!, `checkpoints/step-00000${step}`);
      await Deno.writeTextFile(join(cut, "log.jsonl"), `${lines.join("\n")}\n`);
      const old = join(cut, "checkpoints", `step-00000${step - 2}.safetensors`);
      await Deno.copyFile(join(cut, "checkpoints", `step-00000${step}.safetensors`), old);
    }
    for (let again = 0; again < 2; again++) {
      await trainInFolder(config, cut, { resume: true });
      const untimed = (log: string) => log.replaceAll(/"imagesPerSecond":[^,}]*/g, "");
      assertEquals(untimed(await text(cut)), untimed(await text(whole)));
      assertEquals(await namesIn(cut, "checkpoints"), await namesIn(whole, "checkpoints"));
    }
  }));

Deno.test("trainRun() keeps the newest checkpoints, and one at the last step", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...FAST, "train.steps=5", "train.checkpointEvery=1");
    await trainInFolder({ ...config, train: { ...config.train, keep: 2 } }, dir);
    const kept = await listCheckpoints(join(dir, "checkpoints"));
    assertEquals(kept.map(({ step }) => step), [5, 4]);
  }));

Deno.test("trainRun() stops at a loss that is not finite and keeps the last good checkpoint", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(...FAST, "optim.lr=1e30", "train.checkpointEvery=1");
    const error = await assertRejects(() => trainInFolder(config, dir), Error);
    assertStringIncludes(error.message, "the loss of step 3 must be finite");
    assertStringIncludes(error.message, "step-000002.safetensors");
    const kept = await listCheckpoints(join(dir, "checkpoints"));
    assertEquals(kept.map(({ step }) => step), [2, 1]);
  }));

Deno.test("trainRun() logs the mean loss since the last line", () =>
  inFolder(async (dir) => {
    const [each, means] = [join(dir, "each"), join(dir, "means")];
    await trainInFolder(await smokeConfig(...FAST, "train.steps=5"), each);
    await trainInFolder(await smokeConfig(...FAST, "train.steps=5", "train.logEvery=3"), means);
    const of = async (run: string) => (await logOf(run)).flatMap(({ loss }) => loss ?? []);
    const l = await of(each);
    const close = (await of(means)).map((value, i) =>
      Math.abs(value - [(l[0]! + l[1]! + l[2]!) / 3, (l[3]! + l[4]!) / 2][i]!) < 1e-9
    );
    assertEquals(close, [true, true]);
  }));

Deno.test("trainRun() waits for no long look once it was asked to stop, and saves", () =>
  inFolder(async (dir) => {
    const endless: Observer = {
      ...{ everySteps: 2, atEnd: false },
      read: (_, overdue) =>
        new Promise((_, reject) =>
          overdue!.addEventListener("abort", () => reject(overdue!.reason))
        ),
    };
    const options = { stopAfter: 2, observe: () => Promise.resolve([endless]) };
    const { step, lines } = await trainInFolder(await smokeConfig(...FAST), dir, options);
    assertEquals(step, 2);
    assert(lines.some((line) => line.includes("a look at step 2 is left out")), lines.join());
    assertEquals((await listCheckpoints(join(dir, "checkpoints"))).map(({ step }) => step), [2]);
  }));
