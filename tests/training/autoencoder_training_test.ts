import { loadImages } from "../../data/registry.ts";
import { parseConfig } from "../../config/load.ts";
import { AUTOENCODER_OPTIONS, type AutoencoderOptions } from "../../model/autoencoder/options.ts";
import { trainAutoencoder } from "../../training/autoencoder_training.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

const DEFAULTS = Object.fromEntries(
  Object.entries(AUTOENCODER_OPTIONS).map(([key, { initial }]) => [key, initial]),
) as unknown as AutoencoderOptions;
const OPTIONS: AutoencoderOptions = {
  ...DEFAULTS,
  ...{ inChannels: 1, outChannels: 1, latentChannels: 2, normNumGroups: 4 },
  ...{ blockOutChannels: [8, 8], midBlockAddAttention: false },
  downBlockTypes: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
  upBlockTypes: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
};

async function train(steps: number, klWeight: number) {
  const { data } = parseConfig(
    JSON.stringify({
      data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
      train: { batchSize: 4 },
    }),
    { path: "test" },
  );
  const images = await loadImages(data, "train", () => {});
  return await trainAutoencoder(await testGpu(), images, OPTIONS, {
    ...{ steps, klWeight, batch: 8, lr: 3e-3, seed: 1 },
  });
}

Deno.test("trainAutoencoder() comes to redraw images, the same at every time, and scales its latents", async () => {
  const begun = await train(1, 0.001), trained = await train(30, 0.001);
  assert(trained.losses.error < 0.6 * begun.losses.error, `${trained.losses.error}`);
  assertEquals((await train(30, 0.001)).weights, trained.weights);
  const { scalingFactor } = trained.network.options;
  assert(scalingFactor > 0 && scalingFactor !== DEFAULTS.scalingFactor);
  const pressed = await train(30, 1);
  assert(pressed.losses.divergence < 0.5 * trained.losses.divergence, "the weight presses");
});
