/**
 * Mean and covariance of a data set's features: `deno task stats DATASET out.npz`.
 *
 * @module
 */
import { loadImages } from "../../data/registry.ts";
import { FEATURES_NAMES } from "../../metrics/judges/options.ts";
import { writeStatistics } from "../../metrics/judges/statistics_file.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { chooseData } from "../shared/data_choice.ts";
import { collect } from "../shared/evaluation/collect.ts";
import { chooseExtractor } from "../shared/evaluation/extractor.ts";
import { datasetSource } from "../shared/evaluation/source.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { checkGivenFiles, checkResultFile } from "../shared/path_checks.ts";

const command = defineCommand({
  name: "stats",
  summary: "Write mean and covariance of a data set's features as .npz.",
  description: "The file holds mu and sigma, as pytorch-fid's, and is what eval takes as " +
    "--reference. A stopped run goes on where it was.",
  arguments: [
    { name: "DATASET", description: "a data set, perhaps with :test; its training split else" },
    { name: "OUT", description: "the .npz to write" },
  ],
  options: {
    features: {
      value: "WHOSE",
      choices: FEATURES_NAMES,
      default: "auto",
      description: "Inception's, DINOv2's, or those of the data set's own classifier",
    },
    inceptionWeights: { value: "FILE", description: "Inception's weights: .pth or .safetensors" },
    dinov2Weights: { value: "FILE", description: "weights of a DINOv2: .pth or .safetensors" },
    count: {
      value: "N",
      parse: integer({ min: 2 }),
      description: "images, drawn by a fixed seed; all by default",
    },
  },
  overrides: "sets a key of the data set, as in --data.size=16",
  examples: [
    { args: "cifar10 cifar10.train.npz --features inception", does: "what FIDs are taken against" },
    {
      args: "fashion-mnist fashion.npz --data.size=16 --features own",
      does: "needs no download of weights",
    },
  ],
});

if (import.meta.main) {
  await runCommand(command, async ({ options, arguments: [name, out], overrides }) => {
    if (name === undefined || out === undefined) {
      throw new UsageError("Cannot take statistics: a data set and a file must be named");
    }
    const { data, split } = chooseData(name, { split: "train", overrides });
    const { features, inceptionWeights, dinov2Weights } = options;
    await checkGivenFiles(inceptionWeights, dinov2Weights);
    await checkResultFile(out, { extension: ".npz" });
    const say = console.log;
    const train = await loadImages(data, "train", say);
    const images = split === "train" ? train : await loadImages(data, split, say);
    const gpu = await openScriptGpu();
    const own = { images: train, data };
    const wanted = { features, inceptionWeights, dinov2Weights, own, say };
    const extractor = await chooseExtractor(gpu, wanted);
    const count = Math.min(options.count ?? images.count, images.count);
    const state = `${out}.state`;
    const metrics = ["fid"] as const;
    const collection = await collect(datasetSource(images), {
      ...{ label: "stats", metrics, extractor, count, keep: 0, state, say },
    });
    if (!collection?.moments) return 1;
    const statistics = { ...collection.moments.gaussian(), count, features: extractor.name };
    await writeStatistics(out, statistics);
    await Deno.remove(state).catch(() => {});
    say(`Wrote ${out}: ${statistics.dimension} features of ${count} images, ${extractor.name}`);
  });
}
