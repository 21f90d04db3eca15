import { fieldSpectrum, makeSynthetic } from "../../data/sets/synthetic.ts";
import { radialFrequencies } from "../../diffusion/frequency.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { highestOctavePower, resolveTMax, tMaxOfPower } from "../../diffusion/t_max.ts";
import type { DiffusionOptions } from "../../diffusion/options.ts";
import { assert, assertAlmostEquals, assertEquals } from "../support/assert.ts";
import { PLAIN_TRAINING } from "./options.ts";

const OPTIONS: DiffusionOptions = {
  timesteps: 1000,
  schedule: "linear",
  betaStart: 1e-4,
  betaEnd: 0.02,
  target: "epsilon",
  loss: "mse",
  ...PLAIN_TRAINING,
  variance: "fixedlarge",
  clipX0: true,
  sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
};

Deno.test("highestOctavePower() of Gaussian fields is their spectrum's", () => {
  const size = 16;
  const spectrum = fieldSpectrum(size, 2);
  const radii = radialFrequencies(size, size);
  const inside = [...spectrum].filter((_, i) => radii[i]! > size / 4 && radii[i]! <= size / 2);
  const mean = inside.reduce((a, b) => a + b) / inside.length;
  // Rounding to bytes adds 1/12; grey levels become [-1, 1].
  const expected = (mean + 1 / 12) / 127.5 ** 2;
  const fields = makeSynthetic({ kind: "field", power: 2, channels: 3 }, "train", 300, size);
  assertAlmostEquals(highestOctavePower(fields) / expected, 1, 0.02);
});

Deno.test("highestOctavePower() of the finest stripes is exact, on a plane that is not square", () => {
  // Amplitude 1 at one point: its power is the number of pixels.
  const images = Uint8Array.from({ length: 4 * 16 }, (_, i) => i % 2 === 0 ? 255 : 0);
  const power = highestOctavePower({ images, count: 1, height: 4, width: 16, channels: 1 });
  const points = radialFrequencies(4, 16).filter((r) => r > 1 && r <= 2).length;
  assertAlmostEquals(power, 64 / points, 1e-12);
});

Deno.test("tMaxOfPower() is one past the largest t whose signal exceeds the noise", () => {
  const schedule = makeSchedule(OPTIONS);
  const power = 0.02;
  const tMax = tMaxOfPower(schedule, power);
  const a = schedule.alphasCumprod;
  assert(a[tMax - 1]! * power > 1 - a[tMax - 1]! && a[tMax]! * power <= 1 - a[tMax]!);
  assertEquals(tMaxOfPower(schedule, 0), 1);
  assertEquals(tMaxOfPower(schedule, 1e9), 999);
});

Deno.test("resolveTMax() measures only where a bound is used and is to be found", () => {
  const data = makeSynthetic({ kind: "field", power: 1, channels: 1 }, "train", 20, 8);
  const schedule = makeSchedule(OPTIONS);
  assert(resolveTMax(OPTIONS, schedule, data) === OPTIONS);
  const reweighted: DiffusionOptions = {
    ...OPTIONS,
    timestepSampler: { ...OPTIONS.timestepSampler, name: "reweighted" },
  };
  const { tMax } = resolveTMax(reweighted, schedule, data);
  assertEquals(tMax, tMaxOfPower(makeSchedule(OPTIONS), highestOctavePower(data)));
  assert(typeof tMax === "number" && tMax > 1 && tMax < 999);
  assertEquals(resolveTMax({ ...reweighted, tMax: 50 }, schedule, data).tMax, 50);
});
