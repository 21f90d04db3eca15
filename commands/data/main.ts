/**
 * Finds, fetches, checks and shows a data set: `deno task data NAME`.
 *
 * @module
 */
import { dirname } from "node:path";
import { type ImageSet, saidOnce, type Split } from "../../data/dataset.ts";
import type { DataOptions } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import { ringSpectrum } from "../../diffusion/ring_spectrum.ts";
import { encodePng } from "../../formats/png.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import { catalogueTable, classesTable, countRemarks, splitsOf, splitsTable } from "./overview.ts";
import { setGrid } from "../shared/set_grid.ts";
import { chooseData } from "../shared/data_choice.ts";
import { checkResultFile } from "../shared/path_checks.ts";

const command = defineCommand({
  name: "data",
  summary: "Find or fetch a data set, check it, and show what is in it.",
  description: "Prints a table and writes a grid of images, a row a class where there are few. " +
    "Without a name: every set, what it needs and whether it is here.",
  argument: { name: "SET", description: "a data set, perhaps with :train or :test" },
  options: {
    out: {
      value: "FILE",
      description: "the grid, a PNG (default: runs/data/SET-SPLIT.png)",
    },
    count: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 100,
      description: "images in the grid, at most",
    },
    spectrum: {
      description: "print the mean power of the images' frequencies, for the schedule spectral",
    },
  },
  overrides: "sets a key of the data set, as in --data.dir=FOLDER or --data.size=16",
  examples: [
    { args: "", does: "lists every set" },
    { args: "fashion-mnist", does: "fetches Fashion-MNIST and shows it" },
    { args: "cifar10 --data.dir=cifar-10-python.tar.gz", does: "checks an archive" },
    { args: "cifar10:train --data.size=16 --spectrum", does: "prints its spectrum at 16 x 16" },
    {
      args: "parquet --data.dir=beans/data --data.size=64 --data.resize=bicubic",
      does: "reads a set of Hugging Face's",
    },
    {
      args: "hf:AI-Lab-Makerere/beans --data.size=64",
      does: "fetches one from the Hugging Face hub",
    },
  ],
});

/** The splits that were asked for, and why some cannot be loaded; throws where none can. */
async function loadSplits(
  choice: string,
  data: DataOptions,
): Promise<{ splits: [Split, ImageSet][]; reasons: readonly Error[] }> {
  const sets: [Split, ImageSet][] = [];
  const reasons: Error[] = [];
  const say = saidOnce(console.log);
  for (const split of splitsOf(choice)) {
    try {
      sets.push([split, await loadImages(data, split, say)]);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      reasons.push(error);
    }
  }
  if (sets.length === 0) throw reasons[0]!;
  return { splits: sets, reasons };
}

if (import.meta.main) {
  await runCommand(command, async ({ options, argument, overrides }) => {
    if (argument === undefined) {
      console.log(await catalogueTable());
      console.log("deno task data SET fetches, checks and shows one");
      return 0;
    }
    const { data } = chooseData(argument, { split: "train", overrides });
    await checkResultFile(options.out, { extension: ".png", makesFolder: true });
    const { splits, reasons } = await loadSplits(argument, data);
    const sets = splits.map(([, set]) => set);
    console.log(splitsTable(sets));
    const classes = classesTable(sets);
    if (classes !== null) console.log(classes);
    for (const line of countRemarks(data.name, data.limit, splits)) console.log(line);
    const [shown] = sets;
    if (options.spectrum) {
      const powers = ringSpectrum(shown!).map((power) => Number(power.toPrecision(4)));
      console.log(`spectrum  ${JSON.stringify(powers)} for diffusion.scheduleOptions.spectrum`);
    }
    const out = options.out ?? `runs/data/${shown!.name.replaceAll(/[ /:#@]/g, "-")}.png`;
    await ensureFolder(dirname(out));
    await atomicWrite(out, encodePng(setGrid(shown!, options.count)));
    console.log(`Wrote ${out}: images of ${shown!.name}`);
    for (const { message } of reasons) console.error(`error: ${message}`);
    return reasons.length > 0 ? 1 : 0;
  });
}
