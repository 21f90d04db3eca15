import { join } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import {
  addInOrder,
  checkAlike,
  checksum,
  inTurn,
  joinShares,
  meanOf,
  shareOf,
} from "../../training/collective.ts";
import { listCheckpoints } from "../../training/checkpoint.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { together } from "../support/ranks.ts";
import { smokeConfig, type TestRunOptions, trainInFolder } from "../support/runs.ts";

const CHANGES = [
  ...["train.steps=4", "train.logEvery=2", "train.sampleEvery=4", "train.evalEvery=4"],
  ...["train.sampleCount=3", "instruments.spectra=false", "instruments.emergence=false"],
];

/** Trains in ranks that share this process; what rank 0 gives. */
async function trainTogether(
  dir: string,
  size: number,
  changes: readonly string[],
  { stages, ...options }: TestRunOptions & { readonly stages?: number } = {},
) {
  const config = await smokeConfig(...CHANGES, ...changes);
  const ranks = together(await testGpu(), size, stages);
  const results = await Promise.all(
    ranks.map((collective) =>
      trainInFolder(config, dir, { ...options, collective, instruments: true })
    ),
  );
  assertEquals(results.map(({ step }) => step), ranks.map(() => results[0]!.step));
  return results[0]!;
}

async function tensorsOf(dir: string) {
  const [newest] = await listCheckpoints(join(dir, "checkpoints"));
  const { tensors } = readSafetensors(await Deno.readFile(newest!.path));
  // A checksum of the file, whose config tells micro-batches, is no number of the run.
  return new Map([...tensors].filter(([, { dtype }]) => dtype === "F32"));
}

/** Lines of a log without the value that comes from a clock. */
async function logOf(dir: string): Promise<Record<string, unknown>[]> {
  const lines = (await Deno.readTextFile(join(dir, "log.jsonl"))).trimEnd().split("\n");
  return lines.map((line) => {
    const { imagesPerSecond: _, ...rest } = JSON.parse(line);
    return rest;
  });
}

Deno.test("trainRun() of two ranks writes what one with two micro-batches does, to the bit", () =>
  inFolder(async (dir) => {
    const [one, two] = [join(dir, "one"), join(dir, "two")];
    await trainTogether(one, 1, ["train.accumulate=2"]);
    await trainTogether(two, 2, []);
    assertEquals(await tensorsOf(two), await tensorsOf(one));
    const picture = (run: string) => Deno.readFile(join(run, "samples/step-000004.png"));
    assertEquals(await picture(two), await picture(one));
    const [lines, others] = [await logOf(one), await logOf(two)];
    const isBands = ({ event }: Record<string, unknown>) => event === "bandLoss";
    assertEquals(others.filter((it) => !isBands(it)), lines.filter((it) => !isBands(it)));
    // Moments of the halves are put together otherwise than sample by sample.
    const [bands, otherBands] = [lines.filter(isBands), others.filter(isBands)];
    assertEquals(otherBands.map(({ counts }) => counts), bands.map(({ counts }) => counts));
    const numbers = (line: Record<string, unknown>) =>
      ["epsilon", "epsilonError", "x0", "x0Error"].flatMap((key) =>
        (line[key] as number[][]).flat()
      );
    bands.forEach((line, i) =>
      assertAllClose(numbers(otherBands[i]!), numbers(line), { rtol: 1e-3, atol: 1e-6 })
    );
  }));

Deno.test("trainRun() gives the same bits where gradients are added while others are computed", () =>
  inFolder(async (dir) => {
    const [whole, staged] = [join(dir, "whole"), join(dir, "staged")];
    for (const more of [[], ["train.batchSize=8", "train.accumulate=2"]]) {
      const changes = ["train.sampleEvery=0", "train.evalEvery=0", ...more];
      await trainTogether(whole, 2, changes);
      await trainTogether(staged, 2, changes, { stages: 4 });
      assertEquals(await tensorsOf(staged), await tensorsOf(whole));
      for (const run of [whole, staged]) await Deno.remove(run, { recursive: true });
    }
  }));

Deno.test("trainRun() goes on with another number of ranks, with the same images and noise", () =>
  inFolder(async (dir) => {
    const [whole, parts] = [join(dir, "whole"), join(dir, "parts")];
    const changes = ["train.batchSize=6", "train.logEvery=4", "train.sampleEvery=0"];
    await trainTogether(whole, 1, changes);
    // One of the three ranks is asked to stop; all do after their next step.
    assertEquals((await trainTogether(parts, 3, changes, { stopAfter: 2 })).step, 3);
    await trainTogether(parts, 2, changes, { resume: true });
    const [a, b] = [await tensorsOf(whole), await tensorsOf(parts)];
    assertEquals([...b.keys()], [...a.keys()]);
    const losses = (run: typeof a) => run.get("log/losses")!.data as Float32Array;
    assertAllClose(losses(b), losses(a), { rtol: 1e-4, name: "losses" });
    const [line] = (await logOf(parts)).filter(({ loss }) => loss !== undefined);
    const [other] = (await logOf(whole)).filter(({ loss }) => loss !== undefined);
    assertAllClose([line!.loss as number], [other!.loss as number], { rtol: 1e-4 });
    const counts = async (run: string) =>
      (await logOf(run)).find(({ event }) => event === "bandLoss")!.counts;
    assertEquals(await counts(parts), await counts(whole));
  }));

Deno.test("trainRun() gives all ranks the mean of their running statistics", () =>
  inFolder(async (dir) => {
    const file = join(dir, "full.json");
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
        model: { name: "full", channels: 8, channelMultipliers: [1, 2], timeChannels: 16 },
        diffusion: { timesteps: 20 },
        train: { steps: 1, batchSize: 4, sampleEvery: 0 },
      }),
    );
    const config = await loadConfig(file, []);
    const statistics = async (size: number) => {
      const run = join(dir, `${size}`);
      // The ranks refuse to save when their weights differ by a bit.
      await Promise.all(
        together(await testGpu(), size).map((collective) =>
          trainInFolder(config, run, { collective })
        ),
      );
      const tensors = await tensorsOf(run);
      const name = [...tensors.keys()].find((name) => /^model\/.*runningMean$/.test(name))!;
      return tensors.get(name)!.data as Float32Array;
    };
    // Before the first layer of its kind the ranks' images meet no other.
    const [one, two] = [await statistics(1), await statistics(2)];
    assert(one.some((value) => Math.abs(value) > 1e-3));
    assertAllClose(two, one, { rtol: 1e-5, atol: 1e-7 });
  }));

Deno.test("meanOf() leaves alone what all have", () => {
  const [a, b] = [Float32Array.of(0.1, 1), Float32Array.of(0.1, 2)];
  assertEquals([...meanOf([a, b, a])], [Math.fround(0.1), Math.fround(4 / 3)]);
});

Deno.test("joinShares() puts uneven shares together, and shareOf() leaves nothing out", async () => {
  const ranks = together(await testGpu(), 3);
  const all = Float32Array.from({ length: 10 }, (_, i) => i);
  const joined = await Promise.all(ranks.map((rank) => {
    const { first, end } = shareOf(5, rank);
    return joinShares(rank, all.slice(2 * first, 2 * end), { count: 5, each: 2 });
  }));
  assertEquals(joined, [all, all, all]);
});

Deno.test("addInOrder() adds in f32 and in the order of ranks", () => {
  const parts = [1e8, 1, -1e8, 1].map((value) => Float32Array.of(value));
  assertEquals([...addInOrder(parts)], [1]);
  assertEquals([...addInOrder(parts.toReversed())], [0]);
});

Deno.test("inTurn() lets rank 0 end before others begin", async () => {
  const order: string[] = [];
  const work = (rank: number) => async () => {
    order.push(`${rank} begins`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    order.push(`${rank} ends`);
    return rank;
  };
  const ranks = together(await testGpu(), 2);
  const results = await Promise.all(ranks.map((rank) => inTurn(rank, work(rank.rank))));
  assertEquals(results, [0, 1]);
  assertEquals(order, ["0 begins", "0 ends", "1 begins", "1 ends"]);
});

Deno.test("checkAlike() refuses ranks that differ, on all of them, and names the first", async () => {
  const ranks = together(await testGpu(), 3);
  await Promise.all(ranks.map((rank) => checkAlike(rank, "the step", 7)));
  const message =
    "the step must be the same in all processes, got 7 in process 0 and 8 in process 2";
  await Promise.all(
    ranks.map((rank) =>
      assertRejects(() => checkAlike(rank, "the step", rank.rank === 2 ? 8 : 7), Error, message)
    ),
  );
});

Deno.test("checksum() tells one bit", () => {
  const values = Float32Array.of(1, 2, 3);
  const bits = new Uint32Array(values.slice().buffer);
  bits[1]! ^= 1;
  assert(`${checksum(new Float32Array(bits.buffer))}` !== `${checksum(values)}`);
  assert(checksum(values).every((part) => part === Math.fround(part) && part < 65536));
});
