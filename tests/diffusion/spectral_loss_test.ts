import { Graph } from "../../autograd/graph.ts";
import { mean } from "../../autograd/ops/reduce.ts";
import { Capture } from "../../device/capture.ts";
import {
  type DiffusionOptions,
  SPECTRAL_MODE_NAMES,
  type SpectralLossOptions,
  SPECTRUM_NAMES,
  TARGET_NAMES,
  type TargetName,
} from "../../diffusion/options.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { spectralForms } from "../../diffusion/spectral_forms.ts";
import { frequencyWeights, SpectralLoss } from "../../diffusion/spectral_loss.ts";
import { finiteDifference } from "../reference/finite_difference.ts";
import { type SpectralCase, spectralLoss } from "../reference/spectral_loss.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";
import { PLAIN_TRAINING } from "./options.ts";
import { processOn } from "../../diffusion/process.ts";
import type { Gpu } from "../../device/gpu.ts";

const SHAPE = { samples: 4, height: 6, width: 5, channels: 2 };
const AXES = [4, 6, 5, 2], COUNT = 240;
const TIMESTEPS = [0, 1, 9, 30], T_MAX = 20;
const schedule = makeSchedule({
  timesteps: 60,
  schedule: "linear",
  betaStart: 1e-3,
  betaEnd: 0.2,
});

function optionsOf(
  spectral: Partial<SpectralLossOptions>,
  target: TargetName = "epsilon",
): DiffusionOptions {
  return {
    timesteps: 60,
    schedule: "linear",
    betaStart: 1e-3,
    betaEnd: 0.2,
    target,
    loss: "mse",
    ...PLAIN_TRAINING,
    spectralLoss: { ...PLAIN_TRAINING.spectralLoss, lambda: 0.7, ...spectral },
    tMax: T_MAX,
    variance: "fixedlarge",
    clipX0: true,
    sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
  };
}

const x0 = randomValues(COUNT, 1, 0.5), noise = randomValues(COUNT, 2);
const output = randomValues(COUNT, 3);

const makeLoss = (gpu: Gpu, options: DiffusionOptions) =>
  new SpectralLoss(gpu, processOn(schedule, options), options);

/** Loss a sample, and the gradient of its mean, from the real kernels. */
async function run(options: DiffusionOptions) {
  const gpu = await testGpu();
  const loss = makeLoss(gpu, options);
  const capture = new Capture(gpu, "spectral loss");
  const graph = new Graph(capture);
  const prediction = graph.variable(upload(gpu, AXES, output));
  const perSample = loss.record(graph, {
    x0: upload(gpu, AXES, x0),
    noise: upload(gpu, AXES, noise),
    timesteps: upload(gpu, [4], TIMESTEPS, "u32"),
    prediction,
  });
  const grad = graph.backward(mean(perSample)).get(prediction)!;
  for (const ref of [perSample.ref, grad]) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const result = {
    losses: await program.readF32(perSample.ref),
    grad: await program.readF32(grad),
  };
  program.destroy();
  loss.destroy();
  return result;
}

async function check(spectral: Partial<SpectralLossOptions>, target: TargetName = "epsilon") {
  const options = optionsOf(spectral, target);
  const batch: SpectralCase = {
    shape: SHAPE,
    alphasCumprod: schedule.alphasCumprod,
    target,
    options: options.spectralLoss,
    tMax: T_MAX,
    x0,
    noise,
    timesteps: TIMESTEPS,
  };
  const { losses, grad } = await run(options);
  const expected = spectralLoss(batch, output);
  // Amplitudes near each other cancel in f32 where a step is small; residuals are formed in f64.
  const { mode, spectrum } = options.spectralLoss;
  const cancels = spectrum !== "complex" && (mode === "ddim" || mode === "eta");
  const rtol = cancels ? 2e-3 : 5e-5;
  assertAllClose(losses, expected, { rtol, name: "losses" });
  assertEquals(losses[3], 0);
  assert(losses[0]! > 0);
  const slopes = finiteDifference(([f]) => spectralLoss(batch, f!), [output], 0, [
    0.25,
    0.25,
    0.25,
    0.25,
  ]);
  const scale = Math.max(...slopes.map(Math.abs));
  assertAllClose(grad, slopes, { rtol, atol: rtol * scale, name: "gradient" });
  return { losses, grad, scale };
}

for (const mode of SPECTRAL_MODE_NAMES) {
  if (mode === "printed") continue;
  for (const spectrum of SPECTRUM_NAMES) {
    Deno.test(`SpectralLoss of mode ${mode} on ${spectrum}, and its gradient, match f64`, async () => {
      const { scale } = await check({ mode, spectrum });
      assert(scale > 1e-6);
    });
  }
}

for (const target of TARGET_NAMES) {
  Deno.test(`SpectralLoss reads a network of target ${target}`, async () => {
    await check({ mode: "eta" }, target);
    await check({ mode: "ddim", spectrum: "amplitude" }, target);
  });
}

Deno.test("SpectralLoss takes powers of |k| and weights of octaves", async () => {
  await check({ power: 0 });
  await check({ power: -1.5 });
  await check({ bands: [0, 1, 3] });
  await check({ bands: [2], spectrum: "log1p-amplitude" });
  await check({ bands: [0, 0, 5], spectrum: "radial-power" });
});

Deno.test("SpectralLoss of the complex spectrum without weights is the mean square in pixels", async () => {
  for (const mode of ["ddim", "x0", "epsilon"] as const) {
    const { losses } = await run(optionsOf({ mode, power: 0, lambda: 1 }));
    const expected = TIMESTEPS.map((t, n) => {
      let sum = 0;
      for (let i = n * 60; i < (n + 1) * 60; i++) sum += (output[i]! - noise[i]!) ** 2;
      return t < T_MAX ? sum / 60 : 0;
    });
    assertAllClose(losses, expected);
  }
});

Deno.test("SpectralLoss refuses mode printed with its reason, and lets it pass on demand", async () => {
  const gpu = await testGpu();
  const make = (spectral: Partial<SpectralLossOptions>) =>
    makeLoss(gpu, optionsOf({ mode: "printed", ...spectral }));
  const error = assertThrows(() => make({}), RangeError, "identically 0");
  assert(error.message.includes("allowPrinted"));
  for (const spectrum of SPECTRUM_NAMES) {
    const { losses, grad } = await run(
      optionsOf({ mode: "printed", spectrum, allowPrinted: true }),
    );
    assert(losses[0]! > 0);
    assert(grad.every((value) => value === 0), "the printed formula trains nothing");
  }
});

Deno.test("SpectralLoss refuses a bound or a lambda outside its range", async () => {
  const gpu = await testGpu();
  for (const tMax of ["auto", 0, 61] as const) {
    const options = { ...optionsOf({}), tMax };
    assertThrows(() => makeLoss(gpu, options), RangeError, "tMax must");
  }
  assertThrows(
    () => makeLoss(gpu, optionsOf({ lambda: -1 })),
    RangeError,
    "lambda",
  );
});

Deno.test("spectralForms() of ddim, x0 and epsilon leave no residual for a perfect network", () => {
  for (const target of TARGET_NAMES) {
    for (const mode of ["ddim", "x0", "epsilon"] as const) {
      const { residual } = spectralForms(processOn(schedule, optionsOf({}, target)), mode);
      for (let t = 0; t < 60; t++) {
        const a = schedule.sqrtAlphasCumprod[t]!, b = schedule.sqrtOneMinusAlphasCumprod[t]!;
        const { x0, noise, output } = residual;
        // A network that is right outputs its target, which is a mixture of x0 and e.
        const before = t === 0 ? 1 : schedule.alphasCumprod[t - 1]!;
        const now = schedule.alphasCumprod[t]!;
        const c1 = Math.sqrt(before) * schedule.betas[t]! / (1 - now);
        const c2 = Math.sqrt(schedule.alphas[t]!) * (1 - before) / (1 - now);
        const root = Math.hypot(b, a / 2), out = b / 2 / root, skip = a / 4 / root ** 2;
        const share = {
          ...{ epsilon: [0, 1], x0: [1, 0], xprev: [c1 + c2 * a, c2 * b] },
          ...{ v: [-b, a], score: [0, -1 / b], velocity: [-1, 1] },
          ...{ "minus-epsilon": [0, -1], "scaled-epsilon": [0, 1] },
          "coloured-epsilon": [0, 1],
          "dual-output": [1, 0],
          edm: [(1 - skip * a) / out, -skip * b / out],
        }[target];
        assertAlmostEquals(x0[t]! + output[t]! * share[0]!, 0, 1e-9);
        assertAlmostEquals(noise[t]! + output[t]! * share[1]!, 0, 1e-9);
      }
    }
  }
});

Deno.test("frequencyWeights() have mean 1, and refuse to be zero, negative or infinite", () => {
  for (const power of [0, 1, 2, -1]) {
    const weights = frequencyWeights([0, 1, 2, 4], { power, bands: null });
    assertAlmostEquals(weights.reduce((a, b) => a + b) / 4, 1, 1e-12);
  }
  assertAllClose(frequencyWeights([0, 1, 2, 3, 8], { power: 1, bands: [1, 0, 2] }), [
    5 / 7,
    0,
    10 / 7,
    10 / 7,
    10 / 7,
  ]);
  for (const bands of [[0, 0], [1, -1], [NaN], []]) {
    const weights = () => frequencyWeights([0, 1, 2], { power: 1, bands });
    assertThrows(weights, RangeError, "Cannot weight frequencies");
  }
});
