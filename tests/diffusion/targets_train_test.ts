/**
 * That each target trains and samples, on schedules that it is meant for: a small network that sees
 * one image alone must learn to make it.
 */
import { imageSet } from "../../data/dataset.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import { networkSampler } from "../../training/network_sampler.ts";
import { networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import { assert } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

const SIZE = 4, STEPS = 70;
/** A grey image, which is all that there is to learn. */
const PATTERN = new Uint8Array(SIZE * SIZE).fill(200);
const DATA = imageSet("pattern", {
  images: Uint8Array.from({ length: 8 * PATTERN.length }, (_, i) => PATTERN[i % PATTERN.length]!),
  ...{ labels: null, count: 8, height: SIZE, width: SIZE, channels: 1 },
});

/** Root mean square distance of samples from the image. */
async function distance(trainer: Trainer): Promise<number> {
  const sampler = await networkSampler(trainer.gpu, {
    ...{ network: trainer.network, weights: trainer.state.weights, process: trainer.process },
    ...{ size: trainer.imageSize, batch: 4 },
  });
  const options = trainer.config.diffusion.sampler;
  const made = await sampler.sample(samplerMoves(trainer.process, options), [1, 2, 3, 4]);
  sampler.destroy();
  const squares = made.map((value, i) => (value - (PATTERN[i % PATTERN.length]! / 127.5 - 1)) ** 2);
  return Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / made.length);
}

const CASES: readonly (readonly string[])[] = [
  ["target=epsilon", "schedule=vp"],
  ["target=x0", "schedule=flow", "lossOn=velocity"],
  ["target=xprev", "sampler.name=ddpm", "sampler.steps=null", "clipX0=false"],
  ["target=xprev", "xprevOutput=mean", "sampler.name=ddpm", "sampler.steps=null", "clipX0=false"],
  ["target=v", "schedule=log-snr-cosine"],
  ["target=score", "weighting=epsilon-loss"],
  ["target=velocity", "schedule=flow", "timestepSampler.name=logit-normal"],
  ["target=edm", "schedule=karras", "timestepSampler.name=lognormal"],
  ["target=minus-epsilon", "schedule=ve", "scheduleOptions.sigmaMin=0.02"],
  ["target=dual-output", "schedule=sigmoid"],
  ["target=scaled-epsilon", "schedule=iddpm", "weighting=soft-min-snr"],
];

for (const changes of CASES) {
  Deno.test(`Objective trains a network to sample with ${changes.join(", ")}`, async () => {
    const config = await smokeConfig(
      ...["diffusion.sampler.name=ddim", "diffusion.sampler.eta=0", "diffusion.sampler.steps=8"],
      ...["model.channelMultipliers=[1]", "model.attentionLevels=[]", "model.dropout=0"],
      ...["optim.lr=0.01", "train.batchSize=8", `train.logEvery=${STEPS}`, `data.size=${SIZE}`],
      ...changes.map((change) => `diffusion.${change}`),
    );
    const trainer = await Trainer.create(await testGpu(), config, networkOf(config), DATA);
    trainer.state.initialize(3);
    const before = await distance(trainer);
    for (let step = 0; step < STEPS; step++) trainer.step(step);
    const losses = await trainer.readLosses(0, STEPS);
    const mean = (part: number[]) => part.reduce((sum, value) => sum + value, 0) / part.length;
    const first = mean(losses.slice(0, 10)), last = mean(losses.slice(-10));
    const after = await distance(trainer);
    trainer.destroy();
    assert(last < 0.7 * first, `the loss went from ${first} to ${last}`);
    // What a network learns that says the mean itself is mostly to leave images as they are.
    const { target, xprevOutput } = config.diffusion;
    const share = target === "xprev" && xprevOutput === "mean" ? 0.98 : 0.85;
    assert(after < share * before, `the distance went from ${before} to ${after}`);
  });
}
