/**
 * Trains the classifier whose features judge images of a data set: `deno task features DATASET`.
 *
 * @module
 */
import { loadImages } from "../../data/registry.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { describeKept, ownFeatures } from "../shared/classifiers.ts";
import { chooseData } from "../shared/data_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { checkResultFile } from "../shared/path_checks.ts";

const command = defineCommand({
  name: "features",
  summary: "Train the classifier whose features are used to evaluate images of a data set.",
  description: "It is kept in the cache folder, where eval finds it. Distances on its features " +
    "compare with one another only.",
  argument: { name: "DATASET", description: "a data set with classes, such as fashion-mnist" },
  options: {
    steps: { value: "N", parse: integer({ min: 1 }), description: "optimiser steps" },
    out: { value: "FILE", description: "where it goes; a place in the cache by default" },
    again: { description: "train even if it is there" },
  },
  overrides: "sets a key of the data set, as in --data.size=16",
  examples: [
    { args: "fashion-mnist --data.size=16", does: "trains that of the quickstart's images" },
  ],
});

if (import.meta.main) {
  await runCommand(command, async ({ options, argument, overrides }) => {
    if (argument === undefined) {
      throw new UsageError("Cannot train features: a data set must be named, such as cifar10");
    }
    const { data } = chooseData(argument, { split: "train", overrides });
    const { out: path, steps, again } = options;
    await checkResultFile(path, { makesFolder: true });
    const images = await loadImages(data, "train", console.log);
    const gpu = await openScriptGpu();
    const features = await ownFeatures(gpu, images, data, {
      ...{ path, steps, again, say: console.log },
      onKept: (kept, stored) => console.error(`note: ${describeKept(kept, stored, steps)}`),
    });
    console.log(`features    ${features.dimension} of the ${features.name}`);
  });
}
