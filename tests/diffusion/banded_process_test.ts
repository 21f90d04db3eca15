import { makeProcess, type ProcessOptions } from "../../diffusion/process.ts";
import { meanOverPoints } from "../../diffusion/bands.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import { assert, assertAllClose, assertAlmostEquals, assertThrows } from "../support/assert.ts";

const PLANE = { height: 12, width: 10 };
const { count } = unitRings(12, 10);
const spectrum = Array.from({ length: count }, (_, ring) => 3 / (0.3 + ring) ** 1.7);
const OPTIONS: ProcessOptions = {
  ...{ timesteps: 60, schedule: "cosine", betaStart: 1e-4, betaEnd: 0.02 },
  ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: true },
};
type Name = NonNullable<ProcessOptions["process"]>;
const made = (process: Name, processOptions: ProcessOptions["processOptions"] = {}) =>
  makeProcess(
    { ...OPTIONS, process, processOptions: { spectrum, mean: [0], ...processOptions } },
    PLANE,
  );

Deno.test("bandedProcess() gives equal-snr the same SNR at all frequencies at every timestep", () => {
  const { schedule, banded } = made("equal-snr");
  const { bands, processes } = banded!;
  const mean = meanOverPoints(bands, (band) => spectrum[Math.round(bands.radii[band]!)]!);
  schedule.levels.forEach(({ signalPower, noisePower }, row) => {
    processes.forEach((own, band) => {
      const level = own.schedule.levels[row]!;
      const power = spectrum[Math.round(bands.radii[band]!)]!;
      const snr = level.signalPower * power / level.noisePower;
      assertAlmostEquals(snr / (signalPower * mean / noisePower), 1, 1e-9);
    });
  });
});

Deno.test("bandedProcess() turns the order of flipped-snr round", () => {
  const { banded } = made("flipped-snr"), { bands, processes } = banded!;
  const snr = processes.map(({ schedule }, band) =>
    schedule.levels[30]!.signalPower * spectrum[Math.round(bands.radii[band]!)]! /
    schedule.levels[30]!.noisePower
  );
  const rings = new Map(snr.map((value, band) => [Math.round(bands.radii[band]!), value]));
  const last = Math.round(bands.radii.at(-1)!);
  const ratio = rings.get(0)! / spectrum[last]!;
  for (const [ring, value] of rings) {
    assertAlmostEquals(value / spectrum[last - ring]! / ratio, 1, 1e-9);
  }
  assert(rings.get(last)! > rings.get(0)!);
});

Deno.test("bandedProcess() with calibrate has the mean log SNR of ddpm at every timestep", () => {
  for (const name of ["power", "mask", "equal-snr", "flipped-snr", "blue", "fans"] as const) {
    const { schedule, banded } = made(name, { calibrate: true });
    const { bands, processes } = banded!;
    schedule.levels.forEach(({ signalPower, noisePower }, row) => {
      const logSnr = meanOverPoints(bands, (band) => {
        const level = processes[band]!.schedule.levels[row]!;
        return Math.log(level.signalPower / level.noisePower);
      });
      assertAlmostEquals(logSnr, Math.log(signalPower / noisePower), 1e-9);
    });
  }
});

Deno.test("bandedProcess() keeps the noise's power where nobody calibrates", () => {
  for (const name of ["power", "mask", "equal-snr", "flipped-snr", "fans"] as const) {
    const { schedule, banded } = made(name);
    const power = meanOverPoints(
      banded!.bands,
      (band) => banded!.processes[band]!.schedule.levels[20]!.noisePower,
    );
    assertAlmostEquals(power / schedule.levels[20]!.noisePower, 1, 1e-9);
  }
});

Deno.test("bandedProcess() gives fans noise by the z-score of a ring's power, less of fine detail as t grows", () => {
  const { schedule, banded } = made("fans", { fansBands: 3, fansBeta: 0.5, fansGamma: 2 });
  const { bands, processes } = banded!, last = bands.radii.at(-1)!;
  const ringOf = (radius: number) => radius < last / 3 ? 0 : radius < last * 2 / 3 ? 1 : 2;
  const powers = [0, 0, 0];
  bands.radii.forEach((radius, band) =>
    powers[ringOf(radius)]! += bands.sizes[band]! * spectrum[Math.round(radius)]!
  );
  const mean = powers.reduce((sum, p) => sum + p, 0) / 3;
  const deviation = Math.sqrt(powers.reduce((sum, p) => sum + (p - mean) ** 2, 0) / 3);
  for (const row of [0, 29, 59]) {
    const colour = (band: number) =>
      processes[band]!.schedule.levels[row]!.noisePower / schedule.levels[row]!.noisePower;
    processes.forEach((_, band) => {
      const ring = ringOf(bands.radii[band]!);
      const log = 0.5 * (powers[ring]! - powers[0]!) / deviation - ring * row / 59;
      assertAlmostEquals(Math.log(colour(band) / colour(0)), log, 1e-9);
    });
  }
});

Deno.test("bandedProcess() damps blur, heat and warm as their formulas say", () => {
  const lambda = (radius: number) => (2 * Math.PI * radius / 10) ** 2;
  const blur = made("blur", { blurMax: 5, blurFloor: 0.01 });
  const heat = makeProcess({
    ...{ ...OPTIONS, process: "heat", target: "x0" },
    processOptions: { spectrum, mean: [0.5], blurMin: 0.5, blurMax: 4, heatNoise: 0.02 },
  }, PLANE);
  const warm = made("warm", { blurToNoise: 0.7, blurFloor: 0.01 });
  const row = 37;
  const { signal, noise } = blur.schedule.levels[row]!;
  const damped = (radius: number, width: number) => Math.exp(-lambda(radius) * width ** 2 / 2);
  blur.banded!.bands.radii.forEach((radius, band) => {
    const at = ({ banded }: typeof blur) => banded!.processes[band]!.schedule.levels[row]!;
    const width = 5 * Math.sin(Math.PI * 38 / 60 / 2) ** 2;
    assertAlmostEquals(at(blur).signal / signal, 0.99 * damped(radius, width) + 0.01, 1e-12);
    assertAlmostEquals(at(blur).noise, noise, 1e-12);
    const hot = 0.7 * noise / signal;
    assertAlmostEquals(at(warm).signal / signal, 0.99 * damped(radius, hot) + 0.01, 1e-12);
    assertAlmostEquals(at(heat).signal, damped(radius, 0.5 * 8 ** (37 / 59)), 1e-12);
    assertAlmostEquals(at(heat).noise, 0.02 * (1 + 0.01 * 38 / 60), 1e-12);
  });
  // What heat begins with: the spectrum that is left, and the mean.
  const { start, startMean, processes, bands } = heat.banded!;
  const last = processes[3]!.schedule.levels.at(-1)!;
  const power = spectrum[Math.round(bands.radii[3]!)]!;
  assertAlmostEquals(start[3]! ** 2, last.signalPower * power + last.noisePower, 1e-12);
  assertAllClose(startMean!, [0.5]);
});

Deno.test("bandedProcess() reads the coloured noise and the Mahalanobis distance by the noise's spectrum", () => {
  const own = { process: "power", processOptions: { power: -2 } } as const;
  const white = makeProcess({ ...OPTIONS, ...own, lossOn: "mahalanobis", lossLimit: null }, PLANE);
  const coloured = makeProcess({ ...OPTIONS, ...own, target: "coloured-epsilon" }, PLANE);
  const { bands, processes } = white.banded!, row = 25, { noise } = white.schedule.levels[row]!;
  processes.forEach(({ schedule, tables }, band) => {
    const c = schedule.levels[row]!.noise / noise, at = row * bands.count + band;
    assertAlmostEquals(coloured.tables.target.noise[at]!, c, 1e-12);
    assertAlmostEquals(coloured.tables.toNoise.output[at]!, 1 / c, 1e-9);
    assertAlmostEquals(white.tables.loss!.target.x0[at]!, 1 / c, 1e-9);
    assertAlmostEquals(tables.loss!.prediction.output[row]!, tables.toX0.output[row]! / c, 1e-9);
  });
});

Deno.test("bandedProcess() refuses spectra of another size, none, and frequencies that lose no signal", () => {
  const refused = (options: Partial<ProcessOptions>, message: string) =>
    assertThrows(() => makeProcess({ ...OPTIONS, ...options }, PLANE), RangeError, message);
  refused({ process: "equal-snr" }, "the images' spectrum must be measured on the training set");
  refused(
    { process: "equal-snr", processOptions: { spectrum: [1, 2] } },
    `processOptions.spectrum must have ${count} powers for planes of 12 by 10`,
  );
  refused(
    { process: "flipped-snr", processOptions: { spectrum: new Array(count).fill(0) } },
    "processOptions.spectrum must have some power",
  );
  refused(
    { process: "blur", processOptions: { blurFloor: 0, blurMax: 60 } },
    "target epsilon needs some signal at every level and frequency",
  );
  refused(
    { process: "mask", processOptions: { bandFrom: 0.9, bandTo: 0.3 } },
    "there must be frequencies from bandFrom to bandTo, got none from 0.9 to 0.3",
  );
  refused(
    { process: "warm", processOptions: { calibrate: true } },
    "every frequency must get noisier from step to step, that of |k| = 0.00 does not",
  );
  refused(
    { process: "blue", processOptions: { blueFrom: 3, blueTo: 3 } },
    "blueTo must be above blueFrom",
  );
  assertThrows(() => makeProcess({ ...OPTIONS, process: "power" }), TypeError, "a plane");
});
