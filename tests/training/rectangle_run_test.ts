import { join } from "node:path";
import { parseConfig } from "../../config/load.ts";
import { decodePng } from "../../formats/png.ts";
import { Checkpoint } from "../../training/checkpoint.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

for (const [height, width] of [[8, 12], [20, 8], [6, 22]] as const) {
  Deno.test(`trainRun() trains, watches and draws images of ${height}x${width}, and resumes to the same bytes`, () =>
    inFolder(async (folder) => {
      const overrides = [`data.size=[${height},${width}]`, "train.steps=2", "train.sampleCount=3"];
      const config = await smokeConfig(
        ...overrides,
        ...["train.sampleEvery=1", "train.evalEvery=1", "train.checkpointEvery=1"],
      );
      const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
      await trainInFolder(config, whole, { instruments: true });
      await trainInFolder(config, cut, { instruments: true, stopAfter: 1 });
      await trainInFolder(config, cut, { instruments: true, resume: true });
      const last = (dir: string) => join(dir, "checkpoints", "step-000002.safetensors");
      assertEquals(await Deno.readFile(last(cut)), await Deno.readFile(last(whole)));
      // A grid of 2x2 places with a pixel around each, all enlarged.
      const picture = decodePng(await Deno.readFile(join(whole, "samples", "step-000002.png")));
      const scale = Math.floor(96 / Math.max(height, width));
      assertEquals([picture.height, picture.width], [
        scale * (2 * (height + 1) + 1),
        scale * (2 * (width + 1) + 1),
      ]);
      const lines = (await Deno.readTextFile(join(whole, "log.jsonl"))).trimEnd().split("\n")
        .map((line) => JSON.parse(line));
      const spectra = lines.filter(({ event }) => event === "spectra");
      assertEquals(spectra.map(({ data }) => data.power.length), [
        Math.min(height, width) / 2,
        Math.min(height, width) / 2,
      ]);
      assert(lines.some(({ event }) => event === "bandLoss"));
      const { config: stored } = await Checkpoint.open(last(whole));
      assertEquals(parseConfig(stored, { path: "stored" }).data.size, [height, width]);
    }));
}

Deno.test("parseConfig() takes a side or two, and says which side a network cannot halve", () => {
  const parse = (size: unknown, more = {}) =>
    parseConfig(JSON.stringify({ data: { name: "synthetic", size, ...more } }), { path: "it" });
  for (const size of [null, 16, [16, 24], [24, 8]]) assertEquals(parse(size).data.size, size);
  for (
    const [size, message] of [
      [[16, 20], "data.size must be multiples of 8, got [16,20]; the network halves the width 3"],
      [[20, 16], "the network halves the height 3 times; the nearest that work are 16 or 24"],
      [20, "data.size must be a multiple of 8, got 20; the network halves the side 3 times"],
      [[16], "a whole number of at least 4, or a list of two: height and width"],
      [[16, 16, 16], "or a list of two: height and width"],
      [[16, 2.5], "or a list of two: height and width, got [16,2.5]"],
      ["16x24", "or a list of two: height and width"],
    ] as const
  ) assertThrows(() => parse(size), Error, message);
  for (
    const [size, resize, message] of [
      [[16, 40], "area", "data.size must be at most 32, the side of cifar10"],
      [[40, 16], "area", "data.size must be at most 32"],
      [[16, 40], "pad", "data.size must be at least 32"],
    ] as const
  ) {
    assertThrows(() => parse(size, { name: "cifar10", resize }), Error, message);
  }
});
