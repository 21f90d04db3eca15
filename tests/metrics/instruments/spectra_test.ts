import { fieldSpectrum, makeSynthetic } from "../../../data/sets/synthetic.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { octaves } from "../../../diffusion/frequency.ts";
import type { DiffusionOptions } from "../../../diffusion/options.ts";
import { PowerMeter } from "../../../metrics/instruments/power_meter.ts";
import {
  highBandError,
  psdDistance,
  ringRadii,
  summarizeSpectra,
} from "../../../metrics/numerics/power_law.ts";
import { RadialSpectrum } from "../../../metrics/numerics/radial_spectrum.ts";
import {
  probedImages,
  referenceImages,
  Spectra,
  SpectralReference,
  spreadImages,
} from "../../../metrics/instruments/spectra.ts";
import { makeSchedule } from "../../../diffusion/schedules/registry.ts";
import { PLAIN_TRAINING } from "../../diffusion/options.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { makeProcess } from "../../../diffusion/process.ts";
import { withBinding } from "../../support/narrow_gpu.ts";

function fields(power: number, count: number, size = 16) {
  return makeSynthetic({ kind: "field", power, channels: 1 }, "train", count, size);
}

Deno.test("PowerMeter measures what RadialSpectrum does", async () => {
  const gpu = await testGpu();
  for (
    const [size, channels, count] of [[16, 3, 33], [10, 1, 5], [88, 1, 2], [104, 3, 1]] as const
  ) {
    const images = makeSynthetic({ kind: "shapes", power: 2, channels }, "train", count, size);
    const meter = await PowerMeter.create(gpu, images);
    const powers = await meter.measure(images.images);
    const expected = new RadialSpectrum(size, size).features(images);
    const floor = (2 / 255) ** 2 / 12;
    assertAllClose(powers.map((p) => Math.log(p + floor)), expected, { atol: 2e-4 });
    meter.destroy();
  }
});

Deno.test("PowerMeter measures the same in smaller batches, where a binding holds few transforms", async () => {
  const gpu = await testGpu();
  const images = makeSynthetic({ kind: "shapes", power: 2, channels: 3 }, "train", 7, 16);
  const measure = async (gpu: Gpu) => {
    const meter = await PowerMeter.create(gpu, images);
    const powers = await meter.measure(images.images);
    meter.destroy();
    return powers;
  };
  const expected = await measure(gpu), transform = 16 * 16 * 3 * 8;
  for (const binding of [7, 2, 1]) {
    assertEquals(await measure(withBinding(gpu, binding * transform)), expected);
  }
  await assertRejects(() => measure(withBinding(gpu, transform - 4)), RangeError, "16x16x3");
});

Deno.test("summarizeSpectra() finds an exact power law exactly", () => {
  for (const [size, power] of [[32, 2], [16, 0], [28, 3.3]] as const) {
    const radii = ringRadii(size, size);
    const ring = radii.map((list) => list.reduce((sum, r) => sum + r ** -power, 0) / list.length);
    const { exponent, exponentError } = summarizeSpectra(
      Float64Array.from([...ring, ...ring]),
      radii,
    );
    assertAlmostEquals(exponent, power, 1e-4);
    assertEquals(exponentError, 0);
  }
});

Deno.test("summarizeSpectra() finds a field's exponent within its error, and the error is right", async () => {
  const gpu = await testGpu();
  const all = fields(2, 640);
  const meter = await PowerMeter.create(gpu, all);
  const radii = ringRadii(16, 16);
  const powers = await meter.measure(all.images);
  meter.destroy();
  const parts = Array.from({ length: 20 }, (_, i) => {
    const length = powers.length / 20;
    return summarizeSpectra(powers.slice(i * length, (i + 1) * length), radii);
  });
  const z = parts.map(({ exponent, exponentError }) => (exponent - 2) / exponentError);
  const rms = Math.sqrt(z.reduce((sum, x) => sum + x * x, 0) / z.length);
  assert(rms > 0.6 && rms < 1.5, `${rms} standard errors r.m.s.`);
  // The spectrum itself is the one that the fields were made with.
  const { power, error } = summarizeSpectra(powers, radii);
  const truth = fieldSpectrum(16, 2), { index } = octaves(16, 16);
  assertEquals(index.length, truth.length);
  const sums = new Float64Array(8), sizes = new Float64Array(8);
  for (let y = 0; y < 16; y++) {
    for (let x = 0; x < 16; x++) {
      const ring = Math.round(Math.hypot(Math.min(y, 16 - y), Math.min(x, 16 - x))) - 1;
      if (ring < 0 || ring >= 8) continue;
      sums[ring]! += (truth[y * 16 + x]! + 1 / 12) / 127.5 ** 2;
      sizes[ring]!++;
    }
  }
  power.forEach((value, ring) => {
    const distance = (value - sums[ring]! / sizes[ring]!) / error[ring]!;
    assert(Math.abs(distance) < 4, `ring ${ring}: ${distance} standard errors`);
  });
});

Deno.test("summarizeSpectra() refuses a single image", () => {
  assertThrows(
    () => summarizeSpectra(new Float64Array(8), ringRadii(16, 16)),
    RangeError,
    "2 images",
  );
});

Deno.test("highBandError() looks at the highest octave of rings alone", () => {
  const data = [9, 9, 9, 9, 1, 1, 1, 1];
  assertEquals(highBandError([1, 1, 1, 1, 1, 1, 1, 1], data), { error: 0, bias: 0 });
  const { error, bias } = highBandError([9, 9, 9, 9, Math.E, 1 / Math.E, 1, 1], data);
  assertAlmostEquals(error, Math.sqrt(0.5));
  assertAlmostEquals(bias, 0);
});

Deno.test("psdDistance() is in decibels, and weighs energy by the points of a ring", () => {
  const radii = [[1], [2], [3, 3, 3], [4]];
  const { psdError, highBandRatio } = psdDistance([1, 10, 10, 1], [1, 1, 1, 4], radii);
  assertAlmostEquals(psdError, Math.sqrt((200 + (10 * Math.log10(4)) ** 2) / 4));
  assertAlmostEquals(highBandRatio, 31 / 7);
});

Deno.test("SpectralReference.classify() finds the band in which samples differ", async () => {
  const gpu = await testGpu();
  const reference = await SpectralReference.create(gpu, fields(2, 300), 150);
  const samples = makeSynthetic({ kind: "field", power: 2, channels: 1 }, "test", 150, 16);
  const powers = await reference.measure(samples.images);
  const same = reference.classify(powers)!;
  assert(Math.abs(same.whole.accuracy - 0.5) < 0.1, JSON.stringify(same));
  // A third of the power is missing at 4 <= |k| < 8.
  const less = powers.map((power, i) => i % 8 >= 3 && i % 8 < 7 ? power * 0.67 : power);
  const { whole, bands } = reference.classify(less)!;
  assertEquals(bands.map(({ from }) => from), [1, 2, 4, 8]);
  assert(whole.accuracy > 0.85 && bands[2]!.accuracy > 0.85, JSON.stringify(bands));
  for (const band of [0, 1, 3]) assert(bands[band]!.accuracy < 0.62, JSON.stringify(bands));
  assertEquals(whole.count, 300);
  assertEquals(reference.classify(powers.subarray(0, 72)), null);
  reference.destroy();
});

Deno.test("SpectralReference.compare() is 0 for the data and tells smoother samples", async () => {
  const gpu = await testGpu();
  const reference = await SpectralReference.create(gpu, fields(2, 128), 128);
  const same = reference.compare(await reference.measure(fields(2, 128).images));
  assertAllClose([same.distance, same.highBandError, same.highBandBias], [0, 0, 0], { atol: 1e-9 });
  const smooth = reference.compare(await reference.measure(fields(2.5, 128).images));
  assert(smooth.distance > 0.1, `${smooth.distance}`);
  assert(smooth.highBandBias < -0.2 && smooth.exponent > 2.3, JSON.stringify(smooth));
  reference.destroy();
});

Deno.test("spreadImages() takes images from all over a set", () => {
  const set = fields(2, 10, 4);
  const few = spreadImages(set, 3);
  assertEquals(few.count, 3);
  assertEquals(
    [...few.images],
    [0, 3, 6].flatMap((i) => [...set.images.subarray(16 * i, 16 * (i + 1))]),
  );
  assertEquals(spreadImages(set, 99).count, 10);
});

Deno.test("Spectra shows x_t as theory has it and a perfect prediction as the data", async () => {
  const gpu = await testGpu();
  const diffusion: DiffusionOptions = {
    ...PLAIN_TRAINING,
    timesteps: 100,
    schedule: "linear",
    betaStart: 1e-3,
    betaEnd: 0.1,
    target: "x0",
    loss: "mse",
    variance: "fixedlarge",
    clipX0: true,
    sampler: { name: "ddim", steps: 10, eta: 0, spacing: "uniform" },
  };
  const images = fields(2, 100);
  const spectra = await Spectra.create({
    ...{
      gpu,
      process: makeProcess(diffusion),
      images,
      seed: 3,
      batch: 48,
      everySteps: 5,
      parameters: new Map(),
    },
    // It says that the clean image is the noisy one.
    denoise: (_, { x }) => x,
    options: {
      ...{ bandLoss: true, timestepBins: 5, spectra: true, spectraCount: 100 },
      ...{ spectraTimesteps: [0, 0.5, 0.9], spectraReference: 100 },
      ...{ emergence: false, emergenceLooks: 0, emergenceModes: 0, memorisation: 0 },
    },
  });
  const event = await spectra.read();
  assertEquals(event.samples, null);
  assertEquals(event.probe.map(({ t }) => t), [0, 50, 90]);
  const { alphasCumprod } = makeSchedule(diffusion);
  for (const { t, noisy, predicted, coherence } of event.probe) {
    assertEquals(noisy, predicted);
    // Of the image with itself and noise: what is left of it.
    coherence!.forEach((value, ring) => {
      const signal = alphasCumprod[t]! * event.data.power[ring]!;
      const expected = Math.sqrt(signal / (signal + 1 - alphasCumprod[t]!));
      assertAlmostEquals(value, expected, 0.15);
    });
    if (t === 0) assert(coherence![0]! > 0.99 && coherence![7]! < 0.98, `${coherence}`);
    const a = alphasCumprod[t]!;
    noisy.power.forEach((power, ring) => {
      const distance = (power - a * event.data.power[ring]! - (1 - a)) / noisy.error[ring]!;
      assert(Math.abs(distance) < 4, `t ${t}, ring ${ring}: ${distance} standard errors`);
    });
  }
  const values = Float32Array.from(images.images, (value) => value / 127.5 - 1);
  spectra.preview(values);
  const { samples, classifier } = await spectra.read();
  assertAllClose([samples!.distance, samples!.highBandError], [0, 0], { atol: 1e-5 });
  assertAllClose([samples!.psdError!, samples!.highBandRatio!], [0, 1], { atol: 1e-5 });
  assert(classifier!.whole.accuracy <= 0.6, JSON.stringify(classifier));
  assertEquals((await spectra.read()).samples, null);
  spectra.destroy();
});

Deno.test("probedImages() and referenceImages() take all small images, and fewer large ones", () => {
  const of = (height: number, width: number) =>
    [probedImages, referenceImages].map((count) => count({ height, width }, 64));
  assertEquals([of(8, 8), of(128, 128), of(64, 256)], [[64, 64], [64, 64], [64, 64]]);
  assertEquals([of(224, 224), of(256, 256), of(512, 512)], [[7, 21], [4, 16], [2, 4]]);
  assertEquals([of(128, 256), of(2048, 2048)], [[16, 32], [2, 2]]);
});
