import { imageSet } from "../../data/dataset.ts";
import { makePosterior, reverseLogVariance } from "../../diffusion/posterior.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { createArena, initialValues, writeArenas } from "../../model/parameters.ts";
import { bitsPerDimension } from "../../training/bits_per_dimension.ts";
import { networkOf } from "../../training/run.ts";
import { assert, assertAllClose, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { smallRun } from "../support/network_runs.ts";

const DATA = imageSet("grey", {
  images: Uint8Array.from({ length: 3 * 64 }, (_, i) => (i * 37) % 256),
  ...{ labels: null, count: 3, height: 8, width: 8, channels: 1 },
});

/** Bits of a network that has learnt nothing yet, whose output is 0: it takes all images for grey. */
async function bitsOfGrey(batch: number, variance: "fixedlarge" | "learned-range" = "fixedlarge") {
  const gpu = await testGpu();
  const config = smallRun({
    ...{ name: "dit", patchSize: 2, channels: 8, depth: 1, heads: 2, learnSigma: true },
  });
  const process = makeProcess({ ...config.diffusion, target: "x0", variance, betaEnd: 0.4 });
  const network = networkOf(config), weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], initialValues(network, 1));
  const model = { network, weights, process, floor: null };
  const bits = await bitsPerDimension(gpu, model, { images: DATA, batch, seed: 1 });
  weights.destroy(gpu);
  return { bits, schedule: process.schedule };
}

Deno.test("bitsPerDimension() of a network that knows nothing is what f64 says, in batches of any size", async () => {
  const { bits, schedule } = await bitsOfGrey(2),
    x0 = Array.from(DATA.images, (b) => b / 127.5 - 1);
  const { meanFromX0, variance } = makePosterior(schedule);
  const logVariance = reverseLogVariance(schedule, "fixedlarge");
  const mean = (of: (x: number) => number) =>
    x0.reduce((sum, x) => sum + of(x), 0) / x0.length / Math.LN2;
  const expected = Array.from(variance, (v, t) => {
    const l = logVariance[t]!;
    return mean((x) => 0.5 * (l - Math.log(v) - 1 + (v + (meanFromX0[t]! * x) ** 2) / Math.exp(l)));
  });
  assertAllClose(bits.terms.subarray(1), expected.slice(1), { rtol: 1e-4, atol: 1e-6 });
  const { signalPower: a, noisePower: b } = schedule.levels.at(-1)!;
  assertAllClose([bits.prior], [mean((x) => 0.5 * (b - 1 - Math.log(b) + a * x * x))], {
    rtol: 1e-5,
  });
  const sum = bits.terms.reduce((sum, term) => sum + term, bits.prior);
  assertAllClose([bits.total], [sum]);
  assertAllClose((await bitsOfGrey(3)).bits.terms, bits.terms, { rtol: 1e-5 });
});

Deno.test("bitsPerDimension() goes by the variance that a network learns", async () => {
  const { bits: fixed } = await bitsOfGrey(3), { bits } = await bitsOfGrey(3, "learned-range");
  assertEquals(bits.terms.length, fixed.terms.length);
  assert(
    bits.terms.every((term, t) => Number.isFinite(term) && (t === 0 || term !== fixed.terms[t])),
  );
});
