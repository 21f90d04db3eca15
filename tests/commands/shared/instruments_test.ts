import { join } from "node:path";
import type { Config } from "../../../config/schema.ts";
import { Checkpoint } from "../../../training/checkpoint.ts";
import { stepInstruments } from "../../../commands/shared/instruments.ts";
import { testGpu } from "../../support/gpu.ts";
import { withBinding } from "../../support/narrow_gpu.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { smokeConfig, trainInFolder } from "../../support/runs.ts";

type Line = Record<string, unknown>;

async function linesOf(dir: string, event?: string): Promise<Line[]> {
  const text = await Deno.readTextFile(join(dir, "log.jsonl"));
  const lines = text.trimEnd().split("\n").map((line): Line => JSON.parse(line));
  return lines.filter((line) => line.event === event);
}

function checkpointPath(dir: string, step: number): string {
  return join(dir, "checkpoints", `step-${String(step).padStart(6, "0")}.safetensors`);
}

/** All tensors of a checkpoint but those of instruments. */
async function learnt(dir: string, step: number): Promise<[string, number[]][]> {
  const checkpoint = await Checkpoint.open(checkpointPath(dir, step));
  const result: [string, number[]][] = [];
  for (const [name, { shape }] of checkpoint.tensors) {
    if (name.startsWith("log/bandLoss/")) continue;
    const values = await checkpoint.read(name, shape);
    result.push([name, [...new Uint32Array(values.buffer, values.byteOffset, values.length)]]);
  }
  return result;
}

Deno.test("stepInstruments() and runInstruments() leave everything that is learnt as it is, bit for bit", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig();
    await trainInFolder(config, join(dir, "with"), { instruments: true });
    await trainInFolder(config, join(dir, "without"));
    const off: Config = {
      ...config,
      instruments: { ...config.instruments, bandLoss: false, spectra: false },
    };
    await trainInFolder(off, join(dir, "off"), { instruments: true });
    const [on, without] = [
      await learnt(join(dir, "with"), 6),
      await learnt(join(dir, "without"), 6),
    ];
    assert(without.length > 50);
    assertEquals(on, without);
    assertEquals(await learnt(join(dir, "off"), 6), without);
    assertEquals((await linesOf(join(dir, "off"), "bandLoss")).length, 0);
    assertEquals((await linesOf(join(dir, "off"), "spectra")).length, 0);
    assertEquals((await linesOf(join(dir, "with"), "bandLoss")).map(({ step }) => step), [
      1,
      2,
      3,
      4,
      5,
      6,
    ]);
    assertEquals((await linesOf(join(dir, "with"), "spectra")).map(({ step }) => step), [3, 6]);
  }));

for (const accumulate of [1, 2]) {
  Deno.test(`a run with instruments resumed equals one that never stopped, accumulate ${accumulate}`, () =>
    inFolder(async (dir) => {
      const config = await smokeConfig(
        `train.accumulate=${accumulate}`,
        "train.logEvery=4",
        "train.steps=13",
        "train.sampleEvery=13",
        "train.checkpointEvery=0",
      );
      const [whole, parts] = [join(dir, "whole"), join(dir, "parts")];
      await trainInFolder(config, whole, { instruments: true });
      // The stop falls between two lines of the log.
      await trainInFolder(config, parts, { instruments: true, stopAfter: 10 });
      await trainInFolder(config, parts, { instruments: true, resume: true });
      const bytes = (run: string) => Deno.readFile(checkpointPath(run, 13));
      assertEquals(await bytes(parts), await bytes(whole));
      for (const event of ["bandLoss", "spectra"]) {
        const lines = await linesOf(whole, event);
        assertEquals(await linesOf(parts, event), lines);
        assertEquals(lines.length, event === "spectra" ? 1 : 4);
      }
      const [, , line] = await linesOf(whole, "bandLoss");
      const counts = line?.counts as number[];
      assertEquals(counts.reduce((sum, n) => sum + n), 4 * config.train.batchSize);
    }));
}

Deno.test("a run with instruments goes on from a checkpoint of one without", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(
      "train.steps=8",
      "train.logEvery=4",
      "train.checkpointEvery=2",
    );
    await trainInFolder(config, dir, { stopAfter: 2 });
    await trainInFolder(config, dir, { instruments: true, resume: true });
    const counts = (await linesOf(dir, "bandLoss")).map(({ counts }) =>
      (counts as number[]).reduce((sum, n) => sum + n)
    );
    assertEquals(counts, [2 * config.train.batchSize, 4 * config.train.batchSize]);
  }));

Deno.test("instruments free what they take", () =>
  inFolder(async (dir) => {
    const gpu = await testGpu();
    const config = await smokeConfig("train.steps=2", "train.sampleEvery=2");
    const growth = async (name: string, instruments: boolean) => {
      const before = gpu.counters.bufferBytes;
      await trainInFolder(config, join(dir, name), { instruments });
      return gpu.counters.bufferBytes - before;
    };
    // The first run makes tables that stay as long as the device.
    await growth("first", true);
    assertEquals(await growth("with", true), await growth("without", false));
  }));

Deno.test("stepInstruments() leaves out what cannot watch, with a line that names the key", async () => {
  const config = await smokeConfig("train.batchSize=4");
  // A transform of an image of 8x8x1 has 512 bytes.
  const said = async (binding: number, ...overrides: string[]) => {
    const lines: string[] = [];
    const gpu = withBinding(await testGpu(), binding);
    const own = overrides.length > 0 ? await smokeConfig(...overrides) : config;
    const found = stepInstruments(gpu, own, { say: (line) => lines.push(line) });
    for (const instrument of found) instrument.destroy?.();
    return [found.length, ...lines];
  };
  assertEquals(await said(4 * 512), [1]);
  assertEquals(await said(2 * 512, "train.accumulate=2"), [1]);
  assertEquals(await said(3 * 512), [
    0,
    "note: instruments.bandLoss is left out: Cannot transform 4 images at once: a binding of this " +
    "adapter holds 3, --train.accumulate=N makes fewer at once",
  ]);
  assertEquals(await said(508), [
    0,
    "note: instruments.bandLoss is left out: Cannot transform images of 8x8x1: a transform must " +
    "have at most 508 bytes, a binding of this adapter, got 512",
  ]);
  assertEquals(await said(508, "instruments.bandLoss=false"), [0]);
});
