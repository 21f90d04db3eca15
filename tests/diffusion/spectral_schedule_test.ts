import { ringSpectrum } from "../../diffusion/ring_spectrum.ts";
import { spectralLevels } from "../../diffusion/schedules/spectral.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { assert, assertAllClose } from "../support/assert.ts";

const SPECTRUM = [16, 4, 1, 0.25];
const options = { spectrum: SPECTRUM, spectrumLow: 1, spectrumHigh: 1 } as const;
const of = (focus: "mixed" | "frequency" | "power", spectrum = SPECTRUM, count = 301) =>
  spectralLevels({ ...options, spectrum, focus }, count).map(Math.exp);

/** A spectrum at a place from its highest frequency, straight in the logarithm between its rings. */
function powerAt(place: number): number {
  const logs = SPECTRUM.toReversed().map(Math.log), i = Math.min(2, Math.floor(place));
  return Math.exp(logs[i]! + (place - i) * (logs[i + 1]! - logs[i]!));
}

Deno.test("spectralLevels() hide frequencies evenly, by power, or between", () => {
  // But for the little that is even in log sigma.
  const loose = { rtol: 0.05, atol: 0 };
  const even = of("frequency");
  assertAllClose(
    [even[0]!, even[100]!, even[150]!, even[300]!],
    [0.25, 1, powerAt(1.5), 16],
    loose,
  );
  const power = of("power");
  // Shares of the power above: 1 and 5 of the 21 that come after the first ring.
  assertAllClose([power[Math.round(300 / 21)]!, power[Math.round(300 * 5 / 21)]!], [1, 4], loose);
  const mixed = of("mixed");
  assertAllClose(mixed, even.map((value, i) => Math.sqrt(value * power[i]!)), { rtol: 1e-9 });
});

Deno.test("spectralLevels() rise by every level where the spectrum does not, between both ends", () => {
  for (const spectrum of [[1, 1, 1], [1, 5, 0.2, 0.4], [0.1, 10]]) {
    for (const focus of ["mixed", "frequency", "power"] as const) {
      const levels = of(focus, spectrum, 1000);
      assert(
        levels.every((level, t) => level > (levels[t - 1] ?? 0)) || Math.max(...spectrum) === 1,
      );
      const wide = { ...options, spectrum, focus, spectrumLow: 0.5, spectrumHigh: 8 };
      const logs = spectralLevels(wide, 1000);
      assert(logs.every((log, t) => log > (logs[t - 1] ?? -Infinity)));
      assertAllClose([logs[0]!, logs.at(-1)!].map(Math.exp), [
        0.5 * Math.min(...spectrum),
        8 * Math.max(...spectrum),
      ], { rtol: 1e-12 });
    }
  }
});

Deno.test("SPECTRAL preserves variance, with the SNR that the spectrum says", () => {
  const { levels } = makeSchedule({
    ...{ timesteps: 50, schedule: "spectral", betaStart: 1e-4, betaEnd: 0.02 },
    scheduleOptions: { ...options, spectrum: [...SPECTRUM], focus: "frequency" },
  });
  assertAllClose(
    levels.map(({ signalPower, noisePower }) => signalPower + noisePower),
    levels.map(() => 1),
  );
  assertAllClose(
    levels.map(({ signal, noise }) => (noise / signal) ** 2),
    of("frequency", SPECTRUM, 50),
    { rtol: 1e-9 },
  );
});

Deno.test("ringSpectrum() finds the power of a wave and of noise", () => {
  const [count, height, width, channels] = [64, 8, 8, 1];
  const wave = Uint8Array.from(
    { length: count * 64 },
    (_, i) => Math.round(127.5 + 127.5 * Math.cos(2 * Math.PI * 2 * (i % 8) / 8)),
  );
  const spectrum = ringSpectrum({ images: wave, count, height, width, channels });
  // |k| = 2 has 12 points, of which two share the mean square 1/2 of 64 pixels.
  const points = 12;
  assertAllClose([spectrum[1]!], [64 / 2 / points], { rtol: 0.02 });
  assert(spectrum.every((power, r) => r === 1 || power < 1e-3 * spectrum[1]!));
});
