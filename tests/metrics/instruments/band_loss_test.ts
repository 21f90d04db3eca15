import { Graph } from "../../../autograd/graph.ts";
import { givenLevels } from "../../../autograd/network_inputs.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { fft2 } from "../../../autograd/ops/fft.ts";
import { fieldSpectrum, makeSynthetic } from "../../../data/sets/synthetic.ts";
import { Capture } from "../../../device/capture.ts";
import { reshape, type TensorRef } from "../../../device/tensor.ts";
import type { Denoiser } from "../../../diffusion/denoiser.ts";
import { octaves } from "../../../diffusion/frequency.ts";
import { Objective } from "../../../diffusion/objective.ts";
import type { DiffusionOptions } from "../../../diffusion/options.ts";
import { makeSchedule } from "../../../diffusion/schedules/registry.ts";
import type { Schedule } from "../../../diffusion/schedule.ts";
import { fourierTransform } from "../../../kernels/fft/fft2.ts";
import { gatherRowsForward } from "../../../kernels/layout/gather_rows.ts";
import { BandLoss, type BandLossEvent } from "../../../metrics/instruments/band_loss.ts";
import { ImageBank } from "../../../training/batch_source.ts";
import { PLAIN_TRAINING, sharesOf } from "../../diffusion/options.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { makeProcess } from "../../../diffusion/process.ts";

const SIZE = 16, BATCH = 64, STEPS = 40, BINS = 5, IMAGES = 512;

const OPTIONS: DiffusionOptions = {
  ...PLAIN_TRAINING,
  timesteps: 100,
  schedule: "linear",
  betaStart: 1e-3,
  betaEnd: 0.1,
  target: "epsilon",
  loss: "mse",
  variance: "fixedlarge",
  clipX0: true,
  sampler: { name: "ddim", steps: 10, eta: 0, spacing: "uniform" },
};

/** Power of a field's coefficients in images of [-1, 1], rounding to bytes included. */
function fieldPower(power: number): Float64Array {
  return fieldSpectrum(SIZE, power).map((value) => (value + 1 / 12) / 127.5 ** 2);
}

/**
 * Factors [T, points] that turn the transform of x_t into that of the target's mean given x_t, for
 * fields of this power. With s = sqrt(1 - A): E[e | x_t] = s / (A P + s^2) x_t.
 */
function wienerGains(
  schedule: Schedule,
  power: Float64Array,
  target: DiffusionOptions["target"],
): Float32Array {
  const { xt, output } = sharesOf(schedule, target).toNoise;
  return Float32Array.from({ length: xt.length * power.length }, (_, i) => {
    const t = Math.floor(i / power.length);
    return (epsilonGain(schedule.alphasCumprod[t]!, power[i % power.length]!) - xt[t]!) /
      output[t]!;
  });
}

function epsilonGain(a: number, power: number): number {
  return Math.sqrt(1 - a) / (a * power + 1 - a);
}

/** A linear filter of the noisy image, frequency by frequency, with a row of gains a timestep. */
function filter(gains: TensorRef): Denoiser {
  return (graph, { x, level: timesteps }) => {
    const { capture } = graph;
    const rows = gatherRowsForward(capture, gains, givenLevels(graph, timesteps));
    const [samples = 0] = rows.shape;
    const gain = graph.constant(reshape(rows, [samples, SIZE, SIZE, 1, 1]));
    const filtered = mul(fft2(x, { norm: "ortho" }), gain);
    const inverse = { inverse: true, scale: 1 / SIZE, realOutput: true };
    return graph.constant(fourierTransform(capture, filtered.ref, inverse));
  };
}

/** What the instrument says of a filter that believes in fields of this power law. */
async function measure(believed: number, options = OPTIONS): Promise<BandLossEvent> {
  const gpu = await testGpu();
  const process = makeProcess(options), { schedule } = process;
  const field = { kind: "field", power: 2, channels: 1 } as const;
  const bank = new ImageBank(gpu, makeSynthetic(field, "train", IMAGES, SIZE));
  const shape = [schedule.timesteps, SIZE * SIZE];
  const gains = upload(gpu, shape, wienerGains(schedule, fieldPower(believed), options.target));
  const instrument = new BandLoss(gpu, {
    process,
    height: SIZE,
    width: SIZE,
    timestepBins: BINS,
    everySteps: 1,
  });
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
  const x0 = bank.gather(capture, capture.input("images", [BATCH], "u32"));
  const objective = new Objective(gpu, process, options);
  const tensors = objective.record(graph, { x0, denoise: filter(gains) });
  instrument.capture({ graph, ...tensors });
  const program = await capture.plan();
  for (let step = 0; step < STEPS; step++) {
    const images = Uint32Array.from({ length: BATCH }, (_, i) => (step * BATCH + i) % IMAGES);
    program.run({ images, key: [7, 0, step, 0] });
  }
  const event = await instrument.read();
  const again = await instrument.read();
  assertEquals(again.counts, again.counts.map(() => 0));
  assertEquals(again.epsilon.flat().every((value) => value === null), true);
  program.destroy();
  objective.destroy();
  instrument.destroy();
  bank.destroy();
  return event;
}

/**
 * Losses in each bin and band of the filter that is best for fields of the power law `believed`: the
 * mean over timesteps and points of (1 - g s)^2 + g^2 A P in e.
 */
function theory(quantity: "epsilon" | "x0", believed: number): number[][] {
  const { alphasCumprod, timesteps } = makeSchedule(OPTIONS);
  const power = fieldPower(2), assumed = fieldPower(believed);
  const { index, count } = octaves(SIZE, SIZE);
  return Array.from({ length: BINS }, (_, bin) =>
    Array.from({ length: count }, (_, band) => {
      let sum = 0, points = 0;
      for (let t = bin * timesteps / BINS; t < (bin + 1) * timesteps / BINS; t++) {
        const a = alphasCumprod[t]!;
        index.forEach((own, k) => {
          if (own !== band) return;
          const gain = epsilonGain(a, assumed[k]!);
          const loss = (1 - gain * Math.sqrt(1 - a)) ** 2 + gain ** 2 * a * power[k]!;
          sum += quantity === "epsilon" ? loss : loss * (1 - a) / a;
          points++;
        });
      }
      return sum / points;
    }));
}

/**
 * Distances from theory in standard errors. The mean of an image, band 0, is all rounding, which is
 * no Gaussian, and left out.
 */
function distances(event: BandLossEvent, quantity: "epsilon" | "x0", believed: number): number[] {
  const expected = theory(quantity, believed);
  const errors = event[`${quantity}Error`];
  return event[quantity].flatMap((row, bin) =>
    row.map((value, band) => (value! - expected[bin]![band]!) / errors[bin]![band]!).slice(1)
  );
}

for (
  const [name, believed] of [["the Wiener filter", 2], ["a filter for white fields", 0]] as const
) {
  Deno.test(`BandLoss measures the losses of ${name} on Gaussian fields as theory has them`, async () => {
    const event = await measure(believed);
    assertEquals(event.timesteps, [0, 20, 40, 60, 80, 100]);
    assertEquals(event.bands, [0, 1, 2, 4, 8]);
    assertEquals(event.counts.reduce((sum, n) => sum + n), BATCH * STEPS);
    for (const quantity of ["epsilon", "x0"] as const) {
      const z = distances(event, quantity, believed);
      const worst = Math.max(...z.map(Math.abs));
      const rms = Math.sqrt(z.reduce((sum, x) => sum + x * x, 0) / z.length);
      assert(worst < 3.5, `${quantity}: ${worst} standard errors at most`);
      assert(rms > 0.5 && rms < 1.5, `${quantity}: ${rms} standard errors r.m.s.`);
      // The errors are small, so the comparison means something.
      const shares = event[quantity].flatMap((row, bin) =>
        row.slice(1).map((value, band) => event[`${quantity}Error`][bin]![band + 1]! / value!)
      );
      assert(Math.max(...shares) < 0.1, `${quantity}: ${Math.max(...shares)} of the loss`);
    }
  });
}

Deno.test("BandLoss tells a filter for white fields from the Wiener filter", async () => {
  const z = distances(await measure(0), "epsilon", 2);
  assert(Math.max(...z) > 10, `${Math.max(...z)} standard errors`);
});

for (const target of ["x0", "xprev"] as const) {
  Deno.test(`BandLoss gives the losses of a network that outputs ${target}`, async () => {
    const [event, expected] = [await measure(2, { ...OPTIONS, target }), await measure(2)];
    const bands = (matrix: (number | null)[][]) =>
      matrix.flatMap((row) => row.slice(1).map(Number));
    assertAllClose(bands(event.epsilon), bands(expected.epsilon), { rtol: 2e-3 });
    assertAllClose(bands(event.x0), bands(expected.x0), { rtol: 2e-3 });
  });
}

Deno.test("BandLoss refuses more bins than timesteps", async () => {
  const gpu = await testGpu();
  const size = { height: SIZE, width: SIZE, everySteps: 1 };
  assertThrows(
    () => new BandLoss(gpu, { process: makeProcess(OPTIONS), ...size, timestepBins: 101 }),
    RangeError,
    "from 1 to 100, got 101",
  );
});
