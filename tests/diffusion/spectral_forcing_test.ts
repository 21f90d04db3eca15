import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Bands } from "../../diffusion/bands.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { makeProcess, type Process, type ProcessOptions } from "../../diffusion/process.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { cosineRadii, spectralForcing } from "../../diffusion/spectral_forcing.ts";
import { bandFilter } from "../reference/band_filter.ts";
import { assert, assertAllClose, assertEquals } from "../support/assert.ts";
import { compute, randomTensor, testGpu, upload } from "../support/gpu.ts";

const FORCING = { on: true, sharpness: 12, least: 0.1, most: 0.9 };
const OPTIONS: ProcessOptions = {
  ...{ timesteps: 20, schedule: "linear", betaStart: 1e-3, betaEnd: 0.4 },
  ...{ target: "x0", weighting: "uniform", variance: "fixedsmall", clipX0: false },
  spectralForcing: FORCING,
};
const SHAPE = [2, 5, 6, 3] as const, POINTS = 30;
/** Every coefficient of the cosine transform by itself. */
const BANDS: Bands = {
  ...{ height: 5, width: 6, transform: "cosine", count: POINTS },
  index: Uint32Array.from({ length: POINTS }, (_, at) => at),
  radii: new Float64Array(POINTS),
  sizes: new Float64Array(POINTS).fill(1),
};

/** What a network is to see of images at a level, in f64. */
function seen(x: ArrayLike<number>, { schedule }: Process, levels: readonly number[]) {
  return bandFilter(x, BANDS, 3, (n, at) => {
    const { signal, noise } = schedule.at(levels[n]!);
    const radius = Math.hypot(Math.floor(at / 6) / 4, at % 6 / 5) / Math.SQRT2;
    const cutoff = 0.1 + 0.8 * signal / (signal + noise);
    return 1 / (1 + Math.exp(-12 * (cutoff - radius)));
  });
}

Deno.test("cosineRadii() go from 0 to 1, as the square's diagonal does", () => {
  const radii = cosineRadii(4, 4);
  assertEquals([radii[0], radii[15], radii[5]], [0, 1, 1 / 3]);
  assertEquals([...cosineRadii(1, 3)], [0, 0.5, 1]);
  assertEquals([...cosineRadii(1, 1)], [0]);
});

Deno.test("spectralForcing() moves the cut with a flow's time, and is nothing when off", () => {
  assertEquals(spectralForcing({ ...FORCING, on: false }), null);
  const { cutoff } = spectralForcing(FORCING)!;
  assertAllClose([cutoff({ signal: 0, noise: 1 }), cutoff({ signal: 1, noise: 0 })], [0.1, 0.9]);
  assertAllClose([cutoff({ signal: 0.25, noise: 0.75 })], [0.1 + 0.8 * 0.25]);
});

Deno.test("ProcessOnGpu.inputs() cut what the network sees, in every process, as f64 does", async () => {
  const gpu = await testGpu(), rows = [2, 15];
  const x = randomTensor(gpu, SHAPE, 3), x64 = await gpu.readF32(x);
  const expected = seen(x64, makeProcess(OPTIONS), rows);
  for (const process of ["ddpm", "power"] as const) {
    const made = makeProcess({ ...OPTIONS, process }, { height: 5, width: 6 });
    const onGpu = made.onGpu(gpu), t = upload(gpu, [2], rows, "u32");
    const found = await compute(gpu, (capture) => ({
      x: onGpu.inputs(new Graph(capture), x, t).x.ref,
    }));
    assertAllClose(found.x, expected, { rtol: 1e-4, atol: 3e-6 });
    onGpu.destroy();
  }
  const off = makeProcess({ ...OPTIONS, spectralForcing: { ...FORCING, on: false } }).onGpu(gpu);
  const capture = new Capture(gpu, "off"), t = upload(gpu, [2], rows, "u32");
  assert(off.inputs(new Graph(capture), x, t).x.ref === x);
  assertEquals(capture.dispatches.length, 0);
});

Deno.test("Sampler cuts what the network sees at each level, and nothing else", async () => {
  const process = makeProcess(OPTIONS), denoise: Denoiser = (_, { x }) => x;
  const sampler = await Sampler.create(await testGpu(), {
    ...{ shape: [...SHAPE], parameters: new Map(), denoise, process },
  });
  const moves = samplerMoves(process, { name: "ddim", steps: 2, eta: 0, spacing: "trailing" });
  const start = (await sampler.startNoise([5, 8])).map((value) => value / 4);
  const [far, near] = [19, 9].map((t) => process.schedule.at(t));
  const clean = seen(start, process, [19, 19]);
  const middle = clean.map((x0, i) =>
    near!.signal * x0 + near!.noise * (start[i]! - far!.signal * x0) / far!.noise
  );
  const images = await sampler.sampleFrom(start, moves, [5, 8]);
  assertAllClose(images, seen(middle, process, [9, 9]), { rtol: 1e-4, atol: 1e-5 });
  assert(new Set(images).size > 50);
  sampler.destroy();
});
