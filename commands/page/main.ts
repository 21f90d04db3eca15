/**
 * Makes a web page of checkpoints: `deno task page [RUN_OR_FILE ...] --out DIR`.
 *
 * @module
 */
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { readNamedFile } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { findCheckpoint } from "../shared/load_sampler.ts";
import { makePage, type TrainingChoice } from "./make_page.ts";

/** Types of numbers by their names on the command line. */
const DTYPES = { f16: "F16", bf16: "BF16", f32: "F32" } as const;

const command = defineCommand({
  name: "page",
  summary: "Make a web page that draws from checkpoints in the browser, on its reader's GPU.",
  description:
    "Writes a folder that any server of files can serve, without requests to anyone else; the page " +
    "runs the kernels of this project by WebGPU. docs/sharing.md says where to put it.",
  arguments: [{
    name: "RUN_OR_FILE...",
    description: "runs' folders or checkpoints; the newest run below runs/ if none",
  }],
  options: {
    out: { value: "DIR", description: "the folder to write", default: "page" },
    precision: {
      value: "TYPE",
      choices: Object.keys(DTYPES) as (keyof typeof DTYPES)[],
      default: "f16",
      description: "numbers of the weights that are sent: half the bytes, or the run's own",
    },
    train: {
      value: "CONFIG",
      description: "a config that the reader can train by; that of the first checkpoint by default",
    },
    trainImages: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 2048,
      description: "images of its data that are sent, the first ones",
    },
    noTrain: { description: "leave training out, and the data with it" },
    title: { value: "TEXT", description: "what the page is called", default: "Diffract" },
  },
  examples: [
    { args: "runs/quickstart --out page", does: "makes a page of a run" },
    {
      args: "runs/quickstart --train config/spectral/power.json --train-images 4096",
      does: "lets its reader train by another config, too",
    },
    {
      args: "runs/a runs/b --precision f32 --title 'Two networks'",
      does: "lets its reader choose between two, with weights as they are",
    },
  ],
});

/** What page's command line asks for. */
export type PageOptions = Invocation<typeof command.options>["options"];

/** The config to train by, and how many images are sent; null where there is to be none. */
async function trainingChoice(
  first: Checkpoint,
  { train, trainImages: images, noTrain }: PageOptions,
): Promise<TrainingChoice | null> {
  if (noTrain) {
    if (train === undefined) return null;
    throw new UsageError("Cannot use --train with --no-train: give one of them");
  }
  if (train === undefined) return { text: first.config, path: first.path, images, asked: false };
  return {
    text: new TextDecoder().decode(await readNamedFile("config", train)),
    path: train,
    images,
    asked: true,
  };
}

if (import.meta.main) {
  await runCommand(command, async ({ arguments: paths, options }) => {
    const { out, precision, title } = options;
    const places = paths.length > 0 ? paths : [undefined];
    const checkpoints = [];
    for (const place of places) checkpoints.push(await findCheckpoint(place));
    await makePage(checkpoints, {
      ...{ out, title, dtype: DTYPES[precision as keyof typeof DTYPES] },
      training: await trainingChoice(checkpoints[0]!, options),
      say: (line) => console.log(line),
    });
  });
}
