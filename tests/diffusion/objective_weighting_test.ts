import { Graph } from "../../autograd/graph.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { Capture } from "../../device/capture.ts";
import { Objective } from "../../diffusion/objective.ts";
import type {
  DiffusionOptions,
  SpectralLossOptions,
  TimestepOptions,
} from "../../diffusion/options.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "../support/assert.ts";
import { randomTensor, testGpu, upload } from "../support/gpu.ts";
import { PLAIN_TRAINING } from "./options.ts";
import { makeProcess } from "../../diffusion/process.ts";

const SHAPE = [6, 4, 4, 2];

interface Change {
  readonly timesteps?: Partial<TimestepOptions>;
  readonly spectral?: Partial<SpectralLossOptions>;
  readonly tMax?: DiffusionOptions["tMax"];
}

function optionsOf({ timesteps, spectral, tMax = 30 }: Change): DiffusionOptions {
  return {
    ...PLAIN_TRAINING,
    timesteps: 60,
    schedule: "linear",
    betaStart: 1e-3,
    betaEnd: 0.2,
    target: "epsilon",
    loss: "mse",
    timestepSampler: { ...PLAIN_TRAINING.timestepSampler, ...timesteps },
    spectralLoss: { ...PLAIN_TRAINING.spectralLoss, ...spectral },
    tMax,
    variance: "fixedlarge",
    clipX0: true,
    sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
  };
}

/** One step of the network f = w x_t, with the names of all dispatches. */
async function step(
  change: Change,
  w: number,
  inputs: { plain?: boolean; perSample?: boolean } = {},
) {
  const gpu = await testGpu();
  const objective = new Objective(gpu, makeProcess(optionsOf(change)), optionsOf(change));
  const capture = new Capture(gpu, "step");
  const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
  const weight = graph.variable(upload(gpu, [1], [w]));
  const { loss, timesteps } = objective.record(graph, {
    x0: randomTensor(gpu, SHAPE, 4, 0.5),
    denoise: (_, { x }) => mul(x, weight),
    ...inputs,
  });
  const seed = upload(gpu, loss.shape, loss.shape.length > 0 ? new Array(6).fill(1 / 6) : [1]);
  const grad = graph.backward(loss, seed).get(weight)!;
  const dispatches = capture.dispatches.map(({ kernel }) => kernel.name);
  for (const ref of [loss.ref, grad, timesteps]) capture.keep(ref);
  const program = await capture.plan();
  program.run({ key: [1, 2, 3, 0] });
  const result = {
    loss: [...await program.readF32(loss.ref)],
    grad: (await program.readF32(grad))[0]!,
    timesteps: [...await program.read(timesteps)],
    state: await Promise.all([...objective.state.values()].map((tensor) => gpu.readF32(tensor))),
    dispatches,
  };
  program.destroy();
  objective.destroy();
  return result;
}

Deno.test("Objective with everything at its default dispatches what Ho et al. 2020 need, no more", async () => {
  const { dispatches } = await step({ tMax: "auto" }, 0.5);
  assertEquals(
    dispatches,
    [
      "randomIntegers.u32",
      "randomNormal.vec4f",
      "linearCombination2.vec4f",
      "mul.broadcast1.vec4f.vs",
      "mseLoss.rows.vec4f",
      "mseLossBackward.broadcast1.vec4f.vvs",
      "exactDot.products",
      "exactDot.total",
    ],
  );
});

const SPECTRAL: readonly Partial<SpectralLossOptions>[] = [
  { lambda: 0.5 },
  { lambda: 2, mode: "eta", power: 2 },
  { lambda: 0.3, mode: "x0", spectrum: "amplitude" },
  { lambda: 0.3, mode: "epsilon", spectrum: "log1p-amplitude" },
  { lambda: 0.5, mode: "epsilon", spectrum: "radial-power" },
];

for (const spectral of SPECTRAL) {
  const name = `${spectral.mode ?? "ddim"} on ${spectral.spectrum ?? "complex"}`;
  Deno.test(`Objective with the spectrum loss ${name} has the slope of its finite differences`, async () => {
    for (const timesteps of [{}, { name: "reweighted", importanceCorrect: true }] as const) {
      const h = 0.01;
      const { grad } = await step({ spectral, timesteps }, 0.4);
      const [above, below] = [
        await step({ spectral, timesteps }, 0.4 + h),
        await step({ spectral, timesteps }, 0.4 - h),
      ];
      const slope = (above.loss[0]! - below.loss[0]!) / (2 * h);
      assertAlmostEquals(grad / slope, 1, 5e-3);
    }
  });
}

Deno.test("Objective adds lambda times the spectrum loss, for t below tMax alone", async () => {
  const without = await step({}, 0.4, { perSample: true });
  const once = await step({ spectral: { lambda: 1 } }, 0.4, { perSample: true });
  const twice = await step({ spectral: { lambda: 2 } }, 0.4, { perSample: true });
  assertEquals(once.timesteps, without.timesteps);
  assert(once.timesteps.some((t) => t < 30) && once.timesteps.some((t) => t >= 30));
  once.timesteps.forEach((t, n) => {
    const added = once.loss[n]! - without.loss[n]!;
    if (t >= 30) assertEquals(added, 0);
    else assert(added > 0);
    assertAlmostEquals(twice.loss[n]! - without.loss[n]!, 2 * added, 1e-5);
  });
  const total = await step({ spectral: { lambda: 1 } }, 0.4);
  assertAllClose(total.loss, [once.loss.reduce((a, b) => a + b) / 6]);
});

Deno.test("Objective weights losses by the sampler's correction", async () => {
  const timesteps = { name: "reweighted", probability: 0.8 } as const;
  const raw = await step({ timesteps }, 0.4, { perSample: true });
  const corrected = await step({ timesteps: { ...timesteps, importanceCorrect: true } }, 0.4, {
    perSample: true,
  });
  assertEquals(corrected.timesteps, raw.timesteps);
  raw.timesteps.forEach((t, n) => {
    const weight = t < 30 ? 0.5 / 0.8 : 0.5 / 0.2;
    assertAlmostEquals(corrected.loss[n]!, weight * raw.loss[n]!, 1e-5);
  });
});

Deno.test("Objective.record() plain is the uniform objective, whatever the options", async () => {
  const change = {
    timesteps: { name: "reweighted", importanceCorrect: true },
    spectral: { lambda: 1 },
  } as const;
  const expected = await step({}, 0.4);
  const plain = await step(change, 0.4, { plain: true });
  assertEquals(plain, expected);
});

Deno.test("Objective with adaptive timesteps keeps the losses that it has seen", async () => {
  const timesteps = { name: "adaptive", bins: 3 } as const;
  const { state, loss, timesteps: drawn } = await step({ timesteps }, 0.4, { perSample: true });
  const seen = [0, 1, 2].map((bin) => drawn.filter((t) => Math.floor(t / 20) === bin).length);
  assertEquals([1, 3, 5].map((i) => state[0]![i]), seen);
  const first = drawn.flatMap((t, n) => t < 20 ? [loss[n]! ** 2] : []);
  assertAllClose([state[0]![0]!], [first.reduce((a, b) => a + b, 0) / first.length]);
  assertEquals((await step({}, 0.4)).state, []);
});

Deno.test("Objective refuses a bound that was not found yet", async () => {
  const gpu = await testGpu();
  const options = optionsOf({ timesteps: { name: "reweighted" }, tMax: "auto" });
  assertThrows(() => new Objective(gpu, makeProcess(options), options), RangeError, "tMax must");
});
