import { Graph } from "../../autograd/graph.ts";
import { givenLevels } from "../../autograd/network_inputs.ts";
import { scale } from "../../autograd/ops/scale.ts";
import { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import { makeProcess, type Process, type ProcessOptions } from "../../diffusion/process.ts";
import { samplerMoves, type SamplerOptions } from "../../diffusion/samplers/registry.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { bandFilter } from "../reference/band_filter.ts";
import { assert, assertAllClose, assertRejects } from "../support/assert.ts";
import { compute, randomTensor, testGpu, upload } from "../support/gpu.ts";
import { finalVariance } from "./gaussian_field.ts";

const OPTIONS: ProcessOptions = {
  ...{ timesteps: 20, schedule: "linear", betaStart: 1e-3, betaEnd: 0.4 },
  ...{ target: "v", weighting: "uniform", variance: "fixedsmall", clipX0: false },
};
/** A plane of odd sides that differ, and one that takes several passes. */
const SHAPE = [2, 5, 6, 3] as const, PLANE = { height: 5, width: 6 };
const BLUR = { process: "blur", processOptions: { blurMax: 2 } } as const;
const POWER = { process: "power", processOptions: { power: -1.5 } } as const;

Deno.test("bandedOnGpu() noises, combines and starts as the transforms of an f64 reference", async () => {
  const gpu = await testGpu();
  const [x, e] = [1, 2].map((seed) => randomTensor(gpu, SHAPE, seed));
  const [x64, e64] = await Promise.all([x!, e!].map((tensor) => gpu.readF32(tensor)));
  const rows = [3, 17];
  for (const own of [BLUR, POWER]) {
    const process = makeProcess({ ...OPTIONS, ...own }, PLANE);
    const { bands, processes, start } = process.banded!;
    const onGpu = process.onGpu(gpu), t = upload(gpu, [2], rows, "u32");
    const { target } = process.tables;
    const found = await compute(gpu, (capture) => ({
      noised: onGpu.noised(capture, x!, e!, t),
      target: onGpu.combine(capture, t, [
        { share: target.x0, x: x! },
        { share: target.noise, x: e! },
        { share: process.tables.toX0.xt, x: e! },
      ]),
      start: onGpu.start(capture, e!),
    }));
    const filtered = (
      of: ArrayLike<number>,
      share: (own: Process, row: number, band: number) => number,
    ) => bandFilter(of, bands, 3, (n, band) => share(processes[band]!, rows[n]!, band));
    const sum = (...lists: Float64Array[]) =>
      lists[0]!.map((_, i) => lists.reduce((total, list) => total + list[i]!, 0));
    const level = ({ schedule }: Process, row: number) => schedule.levels[row]!;
    assertAllClose(
      found.noised,
      sum(
        filtered(x64!, (own, row) => level(own, row).signal),
        filtered(e64!, (own, row) => level(own, row).noise),
      ),
      { rtol: 1e-4, atol: 3e-6 },
    );
    assertAllClose(
      found.target,
      sum(
        filtered(x64!, (own, row) => -level(own, row).noise),
        filtered(e64!, (own, row) => level(own, row).signal),
        filtered(e64!, (own, row) => own.toX0(row).xt),
      ),
      { rtol: 1e-4, atol: 3e-6 },
    );
    assertAllClose(found.start, filtered(e64!, (_own, _row, band) => start[band]!), {
      ...{ rtol: 1e-4, atol: 3e-6 },
    });
    onGpu.destroy();
  }
});

Deno.test("bandedCombine() has the gradient of the f64 filter", async () => {
  const gpu = await testGpu();
  const process = makeProcess({ ...OPTIONS, ...BLUR, lossOn: "mahalanobis" }, PLANE);
  const { bands, processes } = process.banded!, onGpu = process.onGpu(gpu);
  const weights = new Parameter([...SHAPE], () => 0);
  const value = randomTensor(gpu, SHAPE, 5), gradient = gpu.tensor(SHAPE, { label: "gradient" });
  const dy = randomTensor(gpu, SHAPE, 6);
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, {
    parameters: new Map([[weights, { value, grad: gradient }]]),
  });
  const rows = upload(gpu, [2], [1, 12], "u32");
  const y = onGpu.combineTensors(rows, [
    { share: process.tables.loss!.prediction.output, x: graph.parameter(weights) },
  ]);
  graph.backward(y, dy);
  const program = await capture.plan();
  program.run();
  const found = await gpu.readF32(gradient);
  program.destroy();
  onGpu.destroy();
  const expected = bandFilter(
    await gpu.readF32(dy),
    bands,
    3,
    (n, band) => processes[band]!.tables.loss!.prediction.output[[1, 12][n]!]!,
  );
  assertAllClose(found, expected, { rtol: 1e-4, atol: 3e-6 });
});

const factor = 0.3;
const denoise: Denoiser = (_, { x }) => scale(x, factor);
const seeds = [4, 9];

async function samplerOf(process: Process): Promise<Sampler> {
  const [, ...image] = SHAPE;
  return await Sampler.create(await testGpu(), {
    ...{ shape: [2, ...image], parameters: new Map(), denoise, process },
  });
}

Deno.test("bandedOnGpu() with white noise gives the standard path's samples within round-off", async () => {
  const samplers: SamplerOptions[] = [
    { name: "ddim", steps: 7, eta: 0.5, spacing: "uniform" },
    { name: "unipc", steps: 7, spacing: "trailing", order: 3 },
  ];
  for (const clipX0 of [true, false]) {
    const process = makeProcess({ ...OPTIONS, clipX0 });
    const white = makeProcess(
      { ...OPTIONS, clipX0, process: "power", processOptions: { power: 0 } },
      PLANE,
    );
    const [plain, banded] = [await samplerOf(process), await samplerOf(white)];
    for (const sampler of samplers) {
      const images = await banded.sample(samplerMoves(white, sampler), seeds);
      assertAllClose(images, await plain.sample(samplerMoves(process, sampler), seeds), {
        ...{ rtol: 0, atol: 2e-5 },
      });
      assert(new Set(images).size > 50, "images must not be alike");
    }
    plain.destroy();
    banded.destroy();
  }
});

/** A sampler's recurrence on the host, from given start images and without noise or clipping. */
function follow(process: Process, moves: readonly Move[], start: ArrayLike<number>): Float64Array {
  const { bands } = process.banded!;
  const filtered = (of: ArrayLike<number>, share: (band: number) => number) =>
    bandFilter(of, bands, 3, (_, band) => share(band));
  let x = Float64Array.from(start), before = x.map(() => 0);
  let kept: Float64Array[] = [];
  const sum = (lists: readonly ArrayLike<number>[]) =>
    x.map((_, i) => lists.reduce((total, list) => total + list[i]!, 0));
  for (const move of moves) {
    if (!isEvaluation(move)) throw new Error("there must be evaluations alone");
    const own = move.bands!, f = x.map((value) => factor * value);
    const clean = sum([
      filtered(x, (band) => own[band]!.xToX0),
      filtered(f, (band) => own[band]!.fToX0),
    ]);
    const next = sum([
      filtered(clean, (band) => own[band]!.fromX0),
      filtered(x, (band) => own[band]!.fromX),
      filtered(f, (band) => own[band]!.fromF),
      filtered(before, (band) => own[band]!.fromBefore ?? 0),
      ...kept.map((image, i) => filtered(image, (band) => own[band]!.fromKept?.[i] ?? 0)),
    ]);
    const registers = own[0]!.keep ?? [], old = kept;
    kept = Array.from({ length: Math.max(old.length, registers.length) }, (_, i) => {
      if (!registers[i]) return old[i] ?? x.map(() => 0);
      const share = (band: number) => own[band]!.keep![i]!;
      return sum([
        filtered(clean, (band) => share(band).x0 ?? 0),
        filtered(x, (band) => share(band).x ?? 0),
        filtered(f, (band) => share(band).f ?? 0),
        filtered(before, (band) => share(band).before ?? 0),
        ...old.map((image, k) => filtered(image, (band) => share(band).kept?.[k] ?? 0)),
      ]);
    });
    [x, before] = [next, clean];
  }
  return x;
}

Deno.test("bandedOnGpu() follows a sampler's recurrence at every frequency, with what it keeps", async () => {
  for (const own of [BLUR, POWER]) {
    const process = makeProcess({ ...OPTIONS, ...own }, PLANE);
    const sampler = await samplerOf(process);
    const start = (await sampler.startNoise(seeds)).map((value) => value / 8);
    for (const name of ["heun", "dpmpp-3m"] as const) {
      const moves = samplerMoves(process, { name, steps: 5, spacing: "trailing" });
      const expected = follow(process, moves, start);
      // Those of a network that knows nothing leave [-1, 1], where images end.
      const images = await sampler.sampleFrom(start, moves, seeds);
      assertAllClose(images, expected.map((value) => Math.max(-1, Math.min(1, value))), {
        ...{ rtol: 1e-4, atol: 2e-5 },
      });
      const inside = expected.filter((value) => Math.abs(value) < 1).length;
      assert(inside > expected.length / 4, `most values must say something, ${inside} do`);
    }
    sampler.destroy();
  }
});

Deno.test("bandedOnGpu() refuses CFG++, whose steps know one level alone", async () => {
  const process = makeProcess({ ...OPTIONS, ...POWER }, PLANE);
  const gpu = await testGpu(), [, ...image] = SHAPE;
  await assertRejects(
    () =>
      Sampler.create(gpu, {
        ...{ shape: [2, ...image], parameters: new Map(), denoise, process },
        conditioning: { labels: 3, labelDropout: 0.1 },
        guidance: { scale: 2, interval: null, rescale: 0, unconditionalNoise: true },
      }),
    RangeError,
    "CFG++ must have a process that is alike at all frequencies",
  );
});

Deno.test("bandedOnGpu() samples a Gaussian field of the right power at every frequency, by chi-square", async () => {
  const gpu = await testGpu(), count = 64, shape = [count, 6, 6, 1] as const;
  const plane = { height: 6, width: 6 };
  // Small, so that images stay within [-1, 1].
  const power = (radius: number) => 0.05 / (1 + radius ** 2);
  const spectrum = Array.from({ length: 6 }, (_, ring) => power(ring)).slice(
    0,
    unitRings(6, 6).count,
  );
  const runs = [
    { process: "equal-snr", sampler: { name: "ddim", steps: 20, eta: 0.7, spacing: "trailing" } },
    { process: "blur", sampler: { name: "dpmpp-2m", steps: 20, spacing: "trailing" } },
  ] as const;
  for (const { process: name, sampler: choice } of runs) {
    const process = makeProcess(
      { ...OPTIONS, process: name, processOptions: { spectrum, blurMax: 2 } },
      plane,
    );
    const { bands, processes, start } = process.banded!;
    const tables = process.onGpu(gpu);
    // What a network of target v says of a field whose power it knows.
    const share = Float64Array.from({ length: OPTIONS.timesteps * bands.count }, (_, at) => {
      const band = at % bands.count, t = Math.floor(at / bands.count), own = processes[band]!;
      const { signal, signalPower, noisePower } = own.schedule.levels[t]!,
        c = power(bands.radii[band]!);
      const { xt, output } = own.toX0(t);
      return (signal * c / (signalPower * c + noisePower) - xt) / output;
    });
    const sampler = await Sampler.create(gpu, {
      ...{ shape, parameters: new Map(), process },
      denoise: (graph, { x, level }) =>
        tables.combineTensors(givenLevels(graph, level), [{ share, x }]),
    });
    const moves = samplerMoves(process, choice);
    const images = await sampler.sample(moves, Array.from({ length: count }, (_, seed) => seed));
    for (let band = 0; band < bands.count; band++) {
      const own = bandFilter(images, bands, 1, (_, other) => other === band ? 1 : 0);
      const found = own.reduce((sum, value) => sum + value * value, 0);
      const c = power(bands.radii[band]!);
      const expected = finalVariance(moves, band, processes[band]!, c, start[band]! ** 2);
      const freedom = bands.sizes[band]! * count;
      const deviations = (found / expected - freedom) / Math.sqrt(2 * freedom);
      assert(Math.abs(deviations) < 4.5, `${name} at |k| = ${bands.radii[band]}: ${deviations}`);
    }
    sampler.destroy();
    tables.destroy();
  }
});
