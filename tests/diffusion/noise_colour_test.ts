import { add } from "../../autograd/ops/add.ts";
import { scale } from "../../autograd/ops/scale.ts";
import { avgPool2d } from "../../autograd/ops/pool.ts";
import { upsampleNearest2x } from "../../autograd/ops/upsample.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import type { NoiseColour, SamplerStep } from "../../diffusion/moves.ts";
import { colourFactors, resolvedAt } from "../../diffusion/noise_colour.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { dft2 } from "../reference/fft.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

const process = makeProcess({
  ...{ timesteps: 40, schedule: "linear", betaStart: 1e-3, betaEnd: 0.3 },
  ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
});
const COLOUR: NoiseColour = { strength: 0.9, power: 1.5, scale: 0.8, images: 3 };
const SIDE = 4, POINTS = SIDE * SIDE;
const { index, count } = unitRings(SIDE, SIDE);

Deno.test("colourFactors() keep the noise's power and favour what is not resolved", () => {
  const factors = colourFactors(COLOUR, [1, 0.5, 0.2, 0], index);
  const power = factors.reduce((sum, value) => sum + value ** 2, 0) / POINTS;
  assertAllClose([power], [0.8 ** 2]);
  const of = (ring: number) => factors[index.indexOf(ring)]!;
  assert(of(0) < of(1) && of(1) < of(2) && of(2) < of(3));
  assertAllClose([(of(1) / of(2)) ** 2], [(0.55 / 0.82) ** 1.5]);
  // Nothing is left to resolve.
  const white = colourFactors({ ...COLOUR, strength: 1 }, [1, 1, 1, 1], index);
  assertEquals(white, new Float32Array(POINTS).fill(0.8));
});

Deno.test("resolvedAt() goes by log sigma between levels, and to the nearest beyond them", () => {
  const level = (sigma: number) => ({ signal: 1, noise: sigma });
  const known = [
    { level: { signal: 0, noise: 1 }, rings: [0, 0] },
    { level: level(10), rings: [0.2, 0] },
    { level: level(0.1), rings: [1, 0.5] },
  ];
  assertAllClose(resolvedAt(known, level(1)), [0.6, 0.25]);
  assertAllClose(resolvedAt(known, level(10)), [0.2, 0]);
  assertAllClose(resolvedAt(known, level(1e-3)), [1, 0.5]);
  assertAllClose(resolvedAt(known, level(100)), [0.2, 0]);
  assertAllClose(resolvedAt(known.slice(1), level(100)), [0.2, 0]);
});

Deno.test("samplerMoves() colour the noise of steps that draw some, and refuse if none does", () => {
  const moves = samplerMoves(process, { name: "ddpm", steps: null, colour: 0.5 });
  const coloured = moves.filter((move) => "colour" in move);
  assertEquals(coloured.length, 39);
  assertEquals((coloured[0] as SamplerStep).colour, {
    ...{ strength: 0.5, power: 1, scale: 1, images: 32 },
  });
  assertThrows(
    () => samplerMoves(process, { name: "ddim", steps: 5, eta: 0, colour: 0.5 }),
    RangeError,
    "must draw some",
  );
});

/** An output whose rough and fine parts differ: of x and of its mean over blocks of 2 x 2 pixels. */
const FINE = 0.1, ROUGH = 0.5;

function outputOf(x: ArrayLike<number>): number[] {
  return Array.from(x, (value, i) => {
    const first = Math.floor(i / POINTS) * POINTS, at = i % POINTS;
    const row = Math.floor(at / SIDE) & ~1, col = at % SIDE & ~1;
    const block = [0, 1, SIDE, SIDE + 1].map((next) => x[first + row * SIDE + col + next]!);
    return FINE * value + ROUGH * block.reduce((sum, pixel) => sum + pixel, 0) / 4;
  });
}

const PLANE = { height: SIDE, width: SIDE, channels: 1 };

/** Power of each ring, summed over images. */
function powers(x: ArrayLike<number>): number[] {
  const z = dft2(x, { ...PLANE, samples: x.length / POINTS });
  const sums = new Array<number>(count).fill(0), sizes = new Array<number>(count).fill(0);
  for (let i = 0; i < x.length; i++) {
    const ring = index[i % POINTS]!;
    sums[ring]! += z[2 * i]! ** 2 + z[2 * i + 1]! ** 2;
    sizes[ring]!++;
  }
  return sums.map((sum, r) => sum / sizes[r]! * (x.length / POINTS));
}

Deno.test("Sampler.sample() colours noise by what its network resolves, as f64 does", async () => {
  const gpu = await testGpu();
  const sampler = await Sampler.create(gpu, {
    ...{ shape: [2, SIDE, SIDE, 1], parameters: new Map(), process },
    denoise: (_, { x }) =>
      add(scale(x, FINE), scale(upsampleNearest2x(avgPool2d(x, { kernel: 2 })), ROUGH)),
  });
  const [step] = ddimSteps({ steps: 1, eta: 1, spacing: "trailing" }, process);
  const still = { ...step!, clip: false, fromX0: 0, fromX: 0, fromF: 0, noise: 1 / 16 };
  // Each leaves its own noise alone; three are coloured, so three steps tell what is resolved.
  const moves: SamplerStep[] = [30, 30, 24].map((timestep) => ({
    ...still,
    timestep,
    colour: COLOUR,
  }));
  const images = await sampler.sample(moves, [7]);
  const white = await sampler.sample(
    moves.map(({ colour: _, ...move }) => move),
    [7],
  );
  // What the sampler finds out: three images by three steps of DDIM.
  const steps = ddimSteps({ steps: 3, eta: 0, spacing: "uniform" }, process);
  const seeds = Array.from({ length: 3 }, (_, i) => 2 ** 40 + i);
  let x: number[] = Array.from(await sampler.startNoise(seeds));
  const seen = steps.map((move) => {
    const f = outputOf(x);
    const x0 = x.map((value, i) => move.xToX0 * value + move.fToX0 * f[i]!);
    x = x.map((value, i) => move.fromX0 * x0[i]! + move.fromX * value + move.fromF * f[i]!);
    return { level: process.schedule.at(move.timestep), x0 };
  });
  const all = powers(x);
  const known = seen.map(({ level, x0 }) => {
    const left = powers(x0.map((value, i) => value - x[i]!));
    const rings = left.map((power, r) => Math.min(1, Math.max(0, 1 - power / all[r]!)));
    return { level, rings };
  });
  const factors = colourFactors(COLOUR, resolvedAt(known, process.schedule.at(24)), index);
  assert(Math.max(...factors) > 1.2 * Math.min(...factors), "rings must differ");
  const z = dft2(white, { ...PLANE, samples: 1 });
  const back = dft2(z.map((value, i) => value * factors[i >> 1]!), { ...PLANE, samples: 1 }, true);
  const expected = Array.from({ length: POINTS }, (_, i) => back[2 * i]! / POINTS);
  assertAllClose(images, expected, { rtol: 1e-4, atol: 1e-5 });
  sampler.destroy();
});
