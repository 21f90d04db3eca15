/**
 * Makes a web page of checkpoints: `deno task page [RUN_OR_FILE ...] --out DIR`.
 *
 * @module
 */
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { findCheckpoint } from "../shared/load_sampler.ts";
import { makePage } from "./make_page.ts";

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
    title: { value: "TEXT", description: "what the page is called", default: "Diffract" },
  },
  examples: [
    { args: "runs/quickstart --out page", does: "makes a page of a run" },
    {
      args: "runs/a runs/b --precision f32 --title 'Two networks'",
      does: "lets its reader choose between two, with weights as they are",
    },
  ],
});

/** What page's command line asks for. */
export type PageOptions = Invocation<typeof command.options>["options"];

if (import.meta.main) {
  await runCommand(command, async ({ arguments: paths, options }) => {
    const { out, precision, title } = options;
    const places = paths.length > 0 ? paths : [undefined];
    const checkpoints = [];
    for (const place of places) checkpoints.push(await findCheckpoint(place));
    await makePage(checkpoints, {
      ...{ out, title, dtype: DTYPES[precision as keyof typeof DTYPES] },
      say: (line) => console.log(line),
    });
  });
}
