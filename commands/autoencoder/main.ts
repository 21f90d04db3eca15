/**
 * Trains an autoencoder for diffusion among latents: `deno task autoencoder DATASET FOLDER`.
 *
 * @module
 */
import { loadImages } from "../../data/registry.ts";
import { imageShape } from "../../data/options.ts";
import { countParameters } from "../../model/module.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { decimal, integer } from "../../support/numbers.ts";
import { startProgress } from "../../support/terminal.ts";
import { optionsOf, writeAutoencoder } from "../../training/autoencoder_file.ts";
import { formatCount } from "../../training/run_summary.ts";
import { trainAutoencoder } from "../../training/autoencoder_training.ts";
import { chooseData } from "../shared/data_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";

const command = defineCommand({
  name: "autoencoder",
  summary: "Train an autoencoder, for diffusion among its latents.",
  description: "FOLDER gets the two files of a diffusers AutoencoderKL, config.json and " +
    "diffusion_pytorch_model.safetensors. A run takes it by --model.latent.autoencoder=FOLDER.",
  arguments: [
    { name: "DATASET", description: "a data set, such as fashion-mnist" },
    { name: "FOLDER", description: "where the autoencoder goes" },
  ],
  options: {
    steps: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 2000,
      description: "optimiser steps",
    },
    batch: { value: "N", parse: integer({ min: 1 }), default: 16, description: "images a step" },
    widths: {
      value: "A,B,...",
      default: "16,32",
      description: "channels of the levels, finest first; each but the last halves the sides",
    },
    latent: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 4,
      description: "channels of the latents",
    },
    kl: {
      value: "W",
      parse: decimal({ min: 0 }),
      default: 0.001,
      description:
        "weight of the latents' divergence from a standard normal distribution, beside " +
        "the squared error of an image",
    },
    lr: { value: "R", parse: decimal({ min: 1e-9 }), default: 1e-3, description: "learning rate" },
    seed: {
      value: "N",
      parse: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      default: 0,
      description: "seed of the weights and the order",
    },
  },
  overrides: "sets a key of the data set, as in --data.size=16",
  examples: [
    {
      args: "fashion-mnist runs/autoencoder --data.size=16",
      does: "makes latents of 8 x 8 for images of 16 x 16",
    },
  ],
});

/** Most groups of a normalisation that divide all widths. */
function groupsOf(widths: readonly number[]): number {
  for (let groups = 8; groups > 1; groups--) {
    if (widths.every((width) => width % groups === 0)) return groups;
  }
  return 1;
}

function widthsOf(text: string): number[] {
  const widths = text.split(",").map(Number);
  if (widths.every((width) => Number.isSafeInteger(width) && width > 0)) return widths;
  throw new UsageError(
    `Cannot train an autoencoder: --widths must be whole numbers with commas between, got ${text}`,
  );
}

if (import.meta.main) {
  await runCommand(command, async ({ options, arguments: [name, folder], overrides }) => {
    if (name === undefined || folder === undefined) {
      throw new UsageError(
        "Cannot train an autoencoder: DATASET and FOLDER must be given, see --help",
      );
    }
    const { data } = chooseData(name, { split: "train", overrides });
    const widths = widthsOf(options.widths);
    await checkFolder(folder);
    const { size, height, width, channels } = imageShape(data);
    const factor = 2 ** (widths.length - 1);
    if (height % factor || width % factor) {
      throw new UsageError(
        `Cannot train an autoencoder: sides must be multiples of ${factor} for ${widths.length} ` +
          `levels, got ${height} x ${width}; --data.size=N takes others`,
      );
    }
    const config = {
      ...{ _class_name: "AutoencoderKL", in_channels: channels, out_channels: channels },
      ...{ block_out_channels: widths, norm_num_groups: groupsOf(widths) },
      latent_channels: options.latent,
      down_block_types: widths.map(() => "DownEncoderBlock2D"),
      up_block_types: widths.map(() => "UpDecoderBlock2D"),
    };
    const images = await loadImages(data, "train", console.log);
    const gpu = await openScriptGpu();
    const { steps, batch, kl: klWeight, lr, seed } = options;
    const progress = startProgress({ label: "autoencoder", total: steps });
    const trained = await trainAutoencoder(gpu, images, optionsOf(config, folder), {
      ...{ steps, batch, klWeight, lr, seed },
      onStep: (step, { error, divergence }) =>
        progress.update(step, `error ${error.toFixed(5)}, divergence ${divergence.toFixed(2)}`),
    });
    progress.stop();
    await writeAutoencoder(folder, trained, size);
    const { network, losses } = trained;
    console.log(
      `Wrote an autoencoder of ${formatCount(countParameters(network))} parameters to ${folder}; ` +
        `mean squared error ${losses.error.toFixed(5)} on the last batch`,
    );
    console.log(
      `Use it by: --model.latent.autoencoder=${folder} --model.latent.channels=${options.latent} ` +
        `--model.latent.factor=${factor} --diffusion.clipX0=false`,
    );
  });
}

/** Refuses a folder that holds something else. */
async function checkFolder(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (["config.json", "diffusion_pytorch_model.safetensors"].includes(name)) continue;
      throw new UsageError(
        `Cannot write an autoencoder to ${folder}: the folder must be empty or hold one, it has ${name}`,
      );
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.NotADirectory) {
      throw new UsageError(`Cannot write an autoencoder to ${folder}: it must be a folder`);
    }
    throw error;
  }
}
