import { scale } from "../../autograd/ops/scale.ts";
import { applySchema } from "../../config/schema.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { type InpaintingMove, repaintMoves } from "../../diffusion/inpainting.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../support/assert.ts";
import { randomValues, testGpu } from "../support/gpu.ts";
import { stepsOf } from "./options.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { isEvaluation } from "../../diffusion/moves.ts";

const { diffusion } = applySchema({ diffusion: { timesteps: 100, schedule: "linear" } }).config!;
const process = makeProcess(diffusion);
const ddim = (steps: number, eta = 1) =>
  ({ name: "ddim", steps, eta, spacing: "trailing" }) as const;
const IMAGE = [4, 4, 1] as const, LENGTH = 16;

/** The timesteps that moves go through, -1 for the clean image; a move back is a rise. */
function levels(moves: readonly InpaintingMove[]): number[] {
  const { alphasCumprod } = makeSchedule(diffusion);
  let now = 99;
  return moves.map((move) => {
    if (isEvaluation(move)) {
      assertEquals(move.timestep, now, "a step must begin where the way stands");
      return now = move.previous;
    }
    const { signal, noise } = move.renoise;
    const target = alphasCumprod[now]! * signal ** 2;
    assertAllClose([signal ** 2 + noise ** 2], [1], { rtol: 1e-12, atol: 0 });
    now = alphasCumprod.findIndex((a) => Math.abs(a / target - 1) < 1e-9);
    return now;
  });
}

Deno.test("repaintMoves() without resampling is the sampler's own way", () => {
  const { moves, start } = repaintMoves(process, ddim(10), { resample: 1, jump: 1 });
  const steps = stepsOf(diffusion, ddim(10));
  assertEquals(
    moves.filter(isEvaluation).map((move) => ({ ...move, known: undefined })),
    steps.map((step) => ({ ...step, known: undefined })),
  );
  assertEquals(levels(moves), [89, 79, 69, 59, 49, 39, 29, 19, 9, -1]);
  const { alphasCumprod } = makeSchedule(diffusion);
  assertAllClose([start.signal ** 2, start.noise ** 2], [
    alphasCumprod[99]!,
    1 - alphasCumprod[99]!,
  ]);
  assertEquals(moves.at(-1)!, { ...steps.at(-1)!, known: { signal: 1, noise: 0 } });
});

Deno.test("repaintMoves() with jump 1 repeats every step but the last, as algorithm 1 does", () => {
  const { moves } = repaintMoves(process, ddim(4), { resample: 3, jump: 1 });
  const [a, b, c] = [[74, 99, 74, 99, 74], [49, 74, 49, 74, 49], [24, 49, 24, 49, 24]];
  assertEquals(levels(moves), [...a!, ...b!, ...c!, -1]);
});

Deno.test("repaintMoves() jumps as the authors' schedule does", () => {
  // get_schedule_jump of the RePaint code with t_T 7, jump_length 2, jump_n_sample 2, as steps left.
  const { moves } = repaintMoves(process, ddim(7), { resample: 2, jump: 2 });
  const visited = levels(moves).map((t) => Math.round((t + 1) * 7 / 100) - 1);
  assertEquals(visited, [5, 4, 6, 5, 4, 3, 2, 4, 3, 2, 1, 0, 2, 1, 0, -1]);
});

Deno.test("repaintMoves() takes ancestral sampling, one timestep after the other", () => {
  const sampler = { name: "ddpm", steps: null, eta: 0, spacing: "uniform" } as const;
  const { moves } = repaintMoves(process, sampler, { resample: 2, jump: 10 });
  assertEquals(moves.filter((move) => !isEvaluation(move)).length, 9);
  assertEquals(levels(moves).at(-1), -1);
  assertEquals(moves.length, 100 + 9 * 11);
});

Deno.test("repaintMoves() refuses what makes no way", () => {
  const refuse = (sampler: Parameters<typeof repaintMoves>[1], resample: number, jump: number) =>
    [
      () => repaintMoves(process, sampler, { resample, jump }),
      RangeError,
    ] as const;
  assertThrows(...refuse(ddim(10), 0, 1), "resample must be a whole number of at least 1, got 0");
  assertThrows(...refuse(ddim(10), 2, 10), "jump must be a whole number from 1 to 9, got 10");
  assertThrows(...refuse(ddim(10), 2, 0.5), "jump must be a whole number from 1 to 9, got 0.5");
  const solver = { ...ddim(10), name: "dpmpp-2m" } as const;
  assertThrows(...refuse(solver, 1, 1), "Cannot inpaint with dpmpp-2m");
});

async function makeSampler(batch: number): Promise<Sampler> {
  const gpu = await testGpu();
  const denoise: Denoiser = (_, { x }) => scale(x, 0.3);
  return await Sampler.create(gpu, {
    ...{ shape: [batch, ...IMAGE], parameters: new Map(), denoise, process },
  });
}

const SEEDS = [3, 4, 5, 6, 7, 8];
const images = randomValues(SEEDS.length * LENGTH, 5, 0.4).map((x) => Math.max(-1, Math.min(1, x)));
const known = images.map((_, i) => i % 3 === 0 ? 1 : 0);

Deno.test("Sampler.inpaint() gives known values back bit for bit, and fills in the others", async () => {
  const sampler = await makeSampler(4);
  for (const [resample, jump] of [[1, 1], [3, 2]] as const) {
    const way = repaintMoves(process, ddim(8), { resample, jump });
    const results = await sampler.inpaint({ images, known }, way, SEEDS);
    const kept = (values: Float32Array) => values.filter((_, i) => known[i] === 1);
    assertEquals(kept(results), kept(images));
    assert(results.every((value, i) => known[i] === 1 || value !== images[i]));
  }
  sampler.destroy();
});

Deno.test("Sampler.inpaint() with nothing known is sampling, and depends on the seed alone", async () => {
  const sampler = await makeSampler(4);
  const way = repaintMoves(process, ddim(8), { resample: 1, jump: 1 });
  const nothing = new Float32Array(known.length);
  assertEquals(
    await sampler.inpaint({ images, known: nothing }, way, SEEDS),
    await sampler.sample(stepsOf(diffusion, ddim(8)), SEEDS),
  );
  const again = repaintMoves(process, ddim(8), { resample: 3, jump: 2 });
  const all = await sampler.inpaint({ images, known }, again, SEEDS);
  const part = [images, known].map((values) => values.slice(4 * LENGTH, 5 * LENGTH));
  const one = await sampler.inpaint({ images: part[0]!, known: part[1]! }, again, [7]);
  assertEquals(one, all.slice(4 * LENGTH, 5 * LENGTH));
  sampler.destroy();
});

Deno.test("Sampler.inpaint() keeps known values at the noise level of each step, with fresh noise", async () => {
  const sampler = await makeSampler(16);
  const seeds = Array.from({ length: 64 }, (_, i) => i);
  const flat = new Float32Array(seeds.length * LENGTH).fill(0.5);
  const ones = flat.map(() => 1);
  const { moves, start } = repaintMoves(process, ddim(6), { resample: 2, jump: 2 });
  const seen = new Map<number, { before: number[]; after: number[] }>();
  await sampler.inpaint({ images: flat, known: ones }, { start, moves }, seeds, {
    wants: () => true,
    onImages: (i, { before, after }) => {
      const all = seen.get(i) ?? { before: [], after: [] };
      all.before.push(...before);
      all.after.push(...after);
      seen.set(i, all);
    },
  });
  const check = (values: readonly number[], { signal, noise }: typeof start) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    assert(Math.abs(mean - 0.5 * signal) < 0.15 * noise + 1e-6, `mean ${mean}, signal ${signal}`);
    assert(
      Math.abs(Math.sqrt(square) - noise) < 0.1 * noise + 1e-6,
      `${Math.sqrt(square)} ${noise}`,
    );
  };
  check(seen.get(0)!.before, start);
  const { sqrtAlphasCumprod: signal, sqrtOneMinusAlphasCumprod: noise } = makeSchedule(diffusion);
  const drawn = new Set<number>();
  moves.forEach((move, i) => {
    if (!("known" in move)) return;
    const { before, after } = seen.get(i)!;
    const t = move.timestep;
    // Behind a move back, too, an image has the noise of the step that comes.
    check(before, { signal: signal[t]!, noise: noise[t]! });
    check(after, move.known);
    if (move.known.noise > 0) {
      drawn.add((after[0]! - 0.5 * move.known.signal) / move.known.noise);
    }
  });
  assertEquals(drawn.size, moves.filter(isEvaluation).length - 1);
  sampler.destroy();
});

Deno.test("Sampler.inpaint() refuses images and masks that do not fit the seeds", async () => {
  const sampler = await makeSampler(2);
  const way = repaintMoves(process, ddim(4), { resample: 1, jump: 1 });
  await assertRejects(
    () => sampler.inpaint({ images, known }, way, [1]),
    RangeError,
    "Cannot inpaint images: 1 of them must have 16 values, got 96",
  );
  await assertRejects(
    () => sampler.inpaint({ images, known: known.slice(1) }, way, SEEDS),
    RangeError,
    "Cannot keep known parts: 6 of them must have 96 values, got 95",
  );
  sampler.destroy();
});

Deno.test("Sampler.inpaint() makes no GPU object once it has run", async () => {
  const gpu = await testGpu();
  const sampler = await makeSampler(4);
  const way = repaintMoves(process, ddim(4), { resample: 2, jump: 1 });
  await sampler.inpaint({ images, known }, way, SEEDS);
  const { submits: _, ...before } = gpu.counters;
  await sampler.inpaint({ images, known }, way, SEEDS);
  const { submits: __, ...after } = gpu.counters;
  assertEquals(after, before);
  sampler.destroy();
});

Deno.test("Sampler.inpaint() with the noise of the start keeps it in known values all the way", async () => {
  const sampler = await makeSampler(4), noise = await sampler.startNoise(SEEDS);
  const ones = images.map(() => 1);
  // The last of these steps skips from timestep 9, so that some noise stays, as in GenerativeZoo.
  const spaced = { name: "ddim", steps: 10, eta: 1, spacing: "from-last" } as const;
  const options = { resample: 1, jump: 1, knownNoise: "start" } as const;
  const way = repaintMoves(process, spaced, options);
  const seen: Float32Array[] = [];
  const results = await sampler.inpaint({ images, known: ones }, way, SEEDS, {
    wants: (i) => i === 4,
    onImages: (_, { after }) => seen.push(after),
  });
  const noised = ({ signal, noise: share }: typeof way.start) =>
    Array.from(images, (value, i) => signal * value + share * noise[i]!);
  const middle = way.moves[4]!, last = way.moves.at(-1)!;
  assert("known" in middle && "known" in last);
  assertAllClose(seen.flatMap((values) => [...values]), noised(middle.known), { atol: 1e-6 });
  const { signal, noise: least } = process.schedule.levels[0]!;
  assertEquals(last.known, { signal, noise: least });
  const clamp = (value: number) => Math.max(-1, Math.min(1, value));
  assertAllClose(results, noised(last.known).map(clamp), { atol: 1e-6 });
  // Fresh noise again, with the same sampler.
  const fresh = repaintMoves(process, spaced, { resample: 1, jump: 1 });
  assertEquals(await sampler.inpaint({ images, known: ones }, fresh, SEEDS), images);
  sampler.destroy();
});
