import { Graph } from "../../../autograd/graph.ts";
import { mean } from "../../../autograd/ops/reduce.ts";
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import {
  AUXILIARY,
  AuxiliaryLosses,
  auxiliaryMisfit,
  type AuxiliaryOptions,
  NO_AUXILIARY,
} from "../../../diffusion/auxiliary/registry.ts";
import { Objective } from "../../../diffusion/objective.ts";
import { makeProcess, type Process } from "../../../diffusion/process.ts";
import { dft2 } from "../../reference/fft.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { haarTransform } from "../../reference/haar.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../../support/assert.ts";
import { randomTensor, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { smokeConfig } from "../../support/runs.ts";

type Name = keyof AuxiliaryOptions;

const H = 8, W = 4, C = 2, N = 2, LENGTH = H * W * C;
const TIMESTEPS = [1, 15];
const x0 = randomValues(N * LENGTH, 1, 0.5), xt = randomValues(N * LENGTH, 2);
const output = randomValues(N * LENGTH, 3);

/** Options of one loss. */
function only<K extends Name>(name: K, options: Partial<AuxiliaryOptions[K]>): AuxiliaryOptions {
  return { ...NO_AUXILIARY, [name]: { ...NO_AUXILIARY[name], weight: 1, ...options } };
}

async function processWith(...overrides: string[]): Promise<Process> {
  const { diffusion } = await smokeConfig("diffusion.timesteps=20", ...overrides);
  return makeProcess(diffusion);
}

/** Losses a sample, and the gradient of their mean in the output. */
async function run(gpu: Gpu, process: Process, options: AuxiliaryOptions) {
  const losses = new AuxiliaryLosses(gpu, process, options), onGpu = process.onGpu(gpu);
  const capture = new Capture(gpu, "test"), graph = new Graph(capture);
  const prediction = graph.variable(upload(gpu, [N, H, W, C], output));
  const loss = losses.record(graph, onGpu, {
    x0: upload(gpu, [N, H, W, C], x0),
    xt: upload(gpu, [N, H, W, C], xt),
    timesteps: upload(gpu, [N], TIMESTEPS, "u32"),
    prediction,
  });
  const grad = graph.backward(mean(loss)).get(prediction)!;
  for (const ref of [loss.ref, grad]) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const found = { losses: await program.readF32(loss.ref), grad: await program.readF32(grad) };
  for (const owned of [program, losses, onGpu]) owned.destroy();
  return found;
}

const PLANE = { samples: 1, height: H, width: W, channels: C };
const ortho = (x: ArrayLike<number>, plane = PLANE) =>
  dft2(x, plane).map((value) => value / Math.sqrt(plane.height * plane.width));
const sizes = (z: ArrayLike<number>) =>
  Array.from({ length: z.length / 2 }, (_, i) => Math.hypot(z[2 * i]!, z[2 * i + 1]!));
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Focal weights of a plane's differences, which no derivative goes through. */
function focal(z: ArrayLike<number>, alpha: number, logarithm: boolean): number[] {
  const raw = sizes(z).map((size) => logarithm ? Math.log1p(size ** alpha) : size ** alpha);
  return raw.map((value, i) => value / Math.max(...raw.filter((_, j) => j % C === i % C)));
}

/** The pieces of an image that the focal loss transforms. */
function patches(x: ArrayLike<number>, side: number | null): number[][] {
  if (side === null) return [Array.from(x)];
  const found: number[][] = [];
  for (let top = 0; top < H; top += side) {
    for (let left = 0; left < W; left += side) {
      found.push(Array.from({ length: side * side * C }, (_, i) => {
        const c = i % C, col = Math.floor(i / C) % side, row = Math.floor(i / C / side);
        return x[((top + row) * W + left + col) * C + c]!;
      }));
    }
  }
  return found;
}

/** A loss of one image; `at` is where focal weights are taken. */
function distance(
  name: Name,
  options: AuxiliaryOptions,
  found: ArrayLike<number>,
  truth: ArrayLike<number>,
  at: ArrayLike<number>,
): number {
  const less = (a: ArrayLike<number>) => Array.from(a, (value, i) => value - truth[i]!);
  switch (name) {
    case "amplitude": {
      const wanted = sizes(ortho(truth));
      return average(sizes(ortho(found)).map((size, i) => Math.abs(size - wanted[i]!)));
    }
    case "amplitudePhase": {
      const [z, y] = [ortho(found), ortho(truth)], [a, b] = [sizes(z), sizes(y)];
      return average(a.map((size, i) => {
        const turn = Math.abs(
          Math.atan2(z[2 * i + 1]!, z[2 * i]!) - Math.atan2(y[2 * i + 1]!, y[2 * i]!),
        );
        return Math.abs(size - b[i]!) * (1 + Math.min(turn, 2 * Math.PI - turn));
      }));
    }
    case "wavelet": {
      const { details, approximation } = options.wavelet;
      const fine = details[0]!, coarse = details[1] ?? fine;
      const weights = [fine, fine, fine, coarse, coarse, coarse, approximation];
      return average(Array.from(haarTransform(less(found), PLANE, weights), Math.abs));
    }
    case "focalFrequency": {
      const { alpha, logarithm, patch } = options.focalFrequency;
      const plane = patch === null ? PLANE : { ...PLANE, height: patch, width: patch };
      const fixed = patches(less(at), patch);
      return average(
        patches(less(found), patch).flatMap((part, i) => {
          const weights = focal(ortho(fixed[i]!, plane), alpha, logarithm);
          return sizes(ortho(part, plane)).map((size, k) => weights[k]! * size ** 2);
        }),
      );
    }
  }
}

/** The losses of the batch in f64. */
function reference(process: Process, name: Name, options: AuxiliaryOptions, f: ArrayLike<number>) {
  const { tables: { toX0 }, schedule } = process, { weight, levels } = options[name];
  const clean = (values: ArrayLike<number>, n: number, t: number) =>
    Array.from({ length: LENGTH }, (_, i) => {
      const at = n * LENGTH + i;
      return toX0.output[t]! * values[at]! + toX0.xt[t]! * xt[at]!;
    });
  return TIMESTEPS.map((t, n) => {
    const { signal, noise } = schedule.levels[t]!;
    const truth = x0.subarray(n * LENGTH, (n + 1) * LENGTH);
    const ratio = signal / noise, degree = name === "focalFrequency" ? 2 : 1;
    const factor = { image: 1, noise: ratio ** degree, loss: ratio ** 2 }[levels];
    const [found, at] = [clean(f, n, t), clean(output, n, t)];
    return weight * factor * distance(name, options, found, truth, at);
  });
}

const CASES: readonly (readonly [Name, Partial<AuxiliaryOptions[Name]>])[] = [
  ["amplitude", { weight: 0.3 }],
  ["amplitude", { levels: "image" }],
  ["amplitudePhase", { levels: "loss" }],
  ["wavelet", { depth: 2, details: [2, 0.5], approximation: 0.1 }],
  ["wavelet", {}],
  ["focalFrequency", { weight: 2 }],
  ["focalFrequency", { alpha: 1.5, logarithm: true, patch: 4, levels: "image" }],
];

for (const [name, options] of CASES) {
  Deno.test(`AuxiliaryLosses of ${name} ${JSON.stringify(options)} and gradients match f64`, async () => {
    const process = await processWith(), settings = only(name, options as never);
    const { losses, grad } = await run(await testGpu(), process, settings);
    const f = (values: ArrayLike<number>) => reference(process, name, settings, values);
    assertAllClose(losses, f(output), { rtol: 2e-5, name: "losses" });
    const slopes = finiteDifference(([x]) => f(x!), [output], 0, TIMESTEPS.map(() => 1 / N), 1e-6);
    const largest = Math.max(...slopes.map(Math.abs));
    assert(largest > 1e-4);
    assertAllClose(grad, slopes, { rtol: 1e-4, atol: 1e-4 * largest, name: "gradient" });
  });
}

Deno.test("AuxiliaryLosses count levels as the loss does, whatever the network outputs", async () => {
  const gpu = await testGpu(), options = only("wavelet", { levels: "loss" });
  const image = only("wavelet", { levels: "image" });
  for (const overrides of [["target=v"], ["target=v", "lossOn=x0", "lossLimit=null"]]) {
    const process = await processWith(...overrides.map((text) => `diffusion.${text}`));
    const [weighted, plain] = [await run(gpu, process, options), await run(gpu, process, image)];
    // The square of v's error is 1 / noise^2 times that of the clean image's.
    const expected = TIMESTEPS.map((t, n) => {
      const { noise } = process.schedule.levels[t]!;
      return plain.losses[n]! * (overrides.length > 1 ? 1 : 1 / noise ** 2);
    });
    assertAllClose(weighted.losses, expected, { rtol: 1e-5 });
  }
});

Deno.test("AuxiliaryLosses are of the clean image of every frequency's own level", async () => {
  const gpu = await testGpu(), options = only("wavelet", { levels: "image" });
  const { diffusion } = await smokeConfig("diffusion.timesteps=20", "diffusion.target=v");
  const [plain, white, pink] = await Promise.all(
    [null, 0, -1].map(async (power) =>
      await run(
        gpu,
        power === null ? makeProcess(diffusion) : makeProcess(
          { ...diffusion, process: "power", processOptions: { power } },
          { height: H, width: W },
        ),
        options,
      )
    ),
  );
  assertAllClose(white!.losses, plain!.losses, { rtol: 1e-5 });
  assertAllClose(white!.grad, plain!.grad, { rtol: 1e-4, atol: 1e-6 });
  assert(Math.abs(pink!.losses[1]! / plain!.losses[1]! - 1) > 0.01);
});

Deno.test("Objective adds auxiliary losses, and what is off costs no dispatch", async () => {
  const gpu = await testGpu();
  const record = async (...overrides: string[]) => {
    const { diffusion } = await smokeConfig("diffusion.timesteps=20", ...overrides);
    const objective = new Objective(gpu, makeProcess(diffusion), diffusion);
    const capture = new Capture(gpu, "test");
    const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
    const { loss } = objective.record(graph, {
      x0: randomTensor(gpu, [N, H, W, C]),
      denoise: (_, { x }) => x,
      perSample: true,
    });
    capture.keep(loss.ref);
    const dispatches = capture.dispatches.length;
    const program = await capture.plan();
    program.run({ key: [1, 2, 3, 0] });
    const values = await program.readF32(loss.ref);
    program.destroy();
    objective.destroy();
    return { dispatches, values };
  };
  const off = await record(), key = "diffusion.auxiliary";
  const one = await record(`${key}.wavelet.weight=1`);
  const two = await record(`${key}.wavelet.weight=1`, `${key}.amplitude.weight=0.5`);
  const again = await record(`${key}.wavelet.depth=2`);
  assertEquals(again, off);
  assert(one.dispatches > off.dispatches && two.dispatches > one.dispatches);
  assert(off.values.every((value, i) => value < one.values[i]! && one.values[i]! < two.values[i]!));
});

Deno.test("auxiliaryMisfit() names what does not fit the images, of losses that are on", async () => {
  const size = { height: 12, width: 10 };
  assertEquals(auxiliaryMisfit(only("wavelet", { depth: 2 }), size), {
    key: "wavelet.depth",
    rule: "be at most 1, as often as 12 x 10 can be halved",
  });
  assertEquals(auxiliaryMisfit(only("wavelet", { depth: 2, weight: 0 }), size), null);
  assertEquals(auxiliaryMisfit(only("wavelet", {}), size), null);
  const odd = auxiliaryMisfit(only("wavelet", {}), { height: 9, width: 9 });
  assert(odd?.rule.includes("9 x 9 one is odd"));
  const patch = auxiliaryMisfit(only("focalFrequency", { patch: 4 }), size);
  assertEquals(patch?.key, "focalFrequency.patch");
  const deep = only("wavelet", { depth: 3 });
  const gpu = await testGpu(), process = await processWith();
  await assertRejects(() => run(gpu, process, deep), RangeError, "be at most 2");
  assertEquals(Object.keys(AUXILIARY.fields).length, 4);
});

Deno.test("the config refuses auxiliary losses that do not fit its images", async () => {
  const key = "diffusion.auxiliary.wavelet";
  const error = await smokeConfig(`${key}.weight=1`, `${key}.depth=9`).then(() => null, String);
  assert(error?.includes(`${key}.depth must be at most`), `${error}`);
});
