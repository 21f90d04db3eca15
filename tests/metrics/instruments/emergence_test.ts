import { join } from "node:path";
import { parseConfig } from "../../../config/load.ts";
import { makeSynthetic } from "../../../data/sets/synthetic.ts";
import { EmergenceWatch, geometricSteps } from "../../../metrics/instruments/emergence.ts";
import { emergenceExponent, emergenceOf } from "../../../metrics/instruments/emergence_times.ts";
import { SpectralReference } from "../../../metrics/instruments/spectra.ts";
import { memorisation } from "../../../metrics/judges/memorisation.ts";
import { DataModes } from "../../../metrics/numerics/data_modes.ts";
import { assert, assertAllClose, assertAlmostEquals, assertEquals } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { testGpu } from "../../support/gpu.ts";
import { trainInFolder } from "../../support/runs.ts";

const STEPS = [...geometricSteps(40, 10000)];

/** A mode of a variance whose power goes to it as in a linear denoiser. */
function curve(variance: number, rate: number, from: number, error = 0) {
  return STEPS.map((step) => {
    const share = 1 - Math.exp(-rate * step);
    const power = (Math.sqrt(from) + share * (Math.sqrt(variance) - Math.sqrt(from))) ** 2;
    return { step, power, error: error * power };
  });
}

Deno.test("emergenceOf() is the step of the geometric middle, from below and from above", () => {
  for (const [variance, from] of [[4, 1e-4], [0.01, 9]] as const) {
    const { step, low, high, rising } = emergenceOf(curve(variance, 0.003, from), variance)!;
    const middle = Math.sqrt(Math.sqrt(variance * from));
    const share = (middle - Math.sqrt(from)) / (Math.sqrt(variance) - Math.sqrt(from));
    const exact = -Math.log1p(-share) / 0.003;
    assert(Math.abs(Math.log(step / exact)) < 0.05, `${step} for ${exact}`);
    assertEquals([low, high, rising], [step, step, variance > from]);
  }
});

Deno.test("emergenceOf() has an interval of the powers' errors, and takes noise", () => {
  const clean = emergenceOf(curve(4, 0.003, 1e-4), 4)!;
  const found = emergenceOf(curve(4, 0.003, 1e-4, 0.1), 4)!;
  assert(found.low! < clean.step && clean.step < found.high!, JSON.stringify(found));
  assert(found.high! < 1.5 * found.low!, JSON.stringify(found));
  const noisy = curve(4, 0.003, 1e-4).map(({ step, power }, i) => ({
    ...{ step, error: 0.1 * power },
    power: power * (i % 2 === 0 ? 1.1 : 0.9),
  }));
  assert(Math.abs(Math.log(emergenceOf(noisy, 4)!.step / clean.step)) < 0.15);
  // Near the data from the beginning, never there, and seen once.
  assertEquals(emergenceOf(curve(4, 0.003, 3), 4), null);
  assertEquals(emergenceOf(curve(4, 1e-7, 1e-4), 4), null);
  assertEquals(emergenceOf(curve(4, 0.003, 1e-4).slice(0, 1), 4), null);
});

Deno.test("emergenceExponent() of a linear denoiser's modes is -1, of steps alike 0", () => {
  const emerged = (rate: (variance: number) => number) =>
    [4, 2, 1, 0.5, 0.25].map((variance) => ({
      variance,
      step: emergenceOf(curve(variance, rate(variance), 1e-4 * variance), variance)!.step,
    }));
  const linear = emergenceExponent(emerged((variance) => 0.002 * variance))!;
  assert(Math.abs(linear.slope + 1) < 0.02 && linear.count === 5, JSON.stringify(linear));
  assertAlmostEquals(emergenceExponent(emerged(() => 0.002))!.slope, 0, 1e-9);
  assertEquals(emergenceExponent([{ variance: 1, step: 2 }]), null);
});

Deno.test("geometricSteps() begins before the first step and ends at the last, each once", () => {
  assertEquals([...geometricSteps(5, 10000)], [0, 1, 10, 100, 1000, 10000]);
  assertEquals([...geometricSteps(40, 5)], [0, 1, 2, 3, 4, 5]);
  assertEquals([...geometricSteps(0, 100)], []);
});

Deno.test("DataModes has the data's own variances in its modes, and those of other images", () => {
  const set = makeSynthetic({ kind: "field", power: 2, channels: 1 }, "train", 200, 4);
  const modes = DataModes.of(set);
  const values = Float32Array.from(set.images, (value) => value / 127.5 - 1);
  // The covariance is divided by one less than the count.
  const expected = modes.variances.map((value) => value * 199 / 200);
  assertAllClose(modes.powersOf(values), expected, { atol: 1e-7 });
  const doubled = values.map((value, i) => modes.mean[i % 16]! + 2 * (value - modes.mean[i % 16]!));
  assertAllClose(modes.powersOf(doubled), expected.map((value) => 4 * value), { atol: 1e-6 });
});

Deno.test("memorisation() finds copies, exact or noisy, and none among new images", () => {
  const fields = (split: "train" | "test", count: number) =>
    makeSynthetic({ kind: "field", power: 2, channels: 1 }, split, count, 8).images;
  const training = fields("train", 300), fresh = fields("test", 30);
  const none = memorisation(fresh, training, 64);
  assertEquals([none.count, none.trained, none.copies], [30, 300, 0]);
  assert(none.ratio > 0.8 && none.nearest > 0.1, JSON.stringify(none));
  const mixed = fresh.slice();
  for (let i = 0; i < 15; i++) {
    for (let p = 0; p < 64; p++) {
      mixed[64 * i + p] = training[64 * 20 * i + p]! + (i % 2 === 0 ? 0 : p % 3);
    }
  }
  assertEquals(memorisation(mixed, training, 64).copies, 0.5);
  // By hand: distances 0.5 and 1 of a value.
  const two = memorisation(Float32Array.of(0), Float32Array.of(0.5, -1), 1);
  assertEquals(two, { count: 1, trained: 2, copies: 0, nearest: 0.5, ratio: 0.5 });
});

Deno.test("EmergenceWatch sees what is missing from samples, ring by ring and mode by mode", async () => {
  const set = makeSynthetic({ kind: "field", power: 2, channels: 1 }, "train", 128, 8);
  const reference = await SpectralReference.create(await testGpu(), set, 128);
  const watch = new EmergenceWatch({
    ...{ reference, modes: DataModes.of(set), training: set.images, length: 64 },
    ...{ everySteps: 10, looks: new Set([3]) },
  });
  assertEquals([watch.also(3), watch.also(4), await watch.read(3)], [true, false, null]);
  const mean = DataModes.of(set).mean;
  const half = Float32Array.from(set.images, (v, i) => (v / 127.5 - 1 - mean[i % 64]!) / 2);
  watch.preview(half.map((value, i) => value + mean[i % 64]!));
  const event = (await watch.read(10))!;
  assertAllClose(event.power, event.data.map((power) => power / 4), { rtol: 0.05, atol: 0 });
  const expected = event.variances.map((value) => value / 4 * 127 / 128);
  assertAllClose(event.modes, expected, { rtol: 1e-3, atol: 1e-7 });
  assertEquals([event.count, event.memorisation!.trained], [128, 128]);
  watch.preview(half);
  assertEquals((await watch.read(3))!.memorisation, null);
  watch.destroy();
});

Deno.test("EmergenceWatch looks between previews without pictures, and alike in a resumed run", () =>
  inFolder(async (folder) => {
    const config = parseConfig(
      JSON.stringify({
        data: { name: "synthetic", size: 8, synthetic: { kind: "field", channels: 1, count: 32 } },
        model: { name: "linear", bins: 2 },
        diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
        train: {
          ...{ steps: 9, batchSize: 4, sampleEvery: 6, sampleCount: 4, checkpointEvery: 3 },
          logEvery: 1,
        },
        instruments: { emergenceLooks: 5, spectra: false, bandLoss: false },
      }),
      { path: "test" },
    );
    const lines = async (dir: string) =>
      (await Deno.readTextFile(join(dir, "log.jsonl"))).split("\n")
        .filter((line) => line.includes('"emergence"'));
    const whole = join(folder, "whole"), parts = join(folder, "parts");
    await trainInFolder(config, whole, { instruments: true });
    const expected = await lines(whole);
    assertEquals(expected.map((line) => JSON.parse(line).step), [0, 1, 2, 3, 5, 6, 9]);
    assertEquals([...Deno.readDirSync(join(whole, "samples"))].length, 2);
    await trainInFolder(config, parts, { instruments: true, stopAfter: 4 });
    await trainInFolder(config, parts, { instruments: true, resume: true });
    assertEquals(await lines(parts), expected);
  }));
