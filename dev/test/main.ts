/**
 * Runs the tests: `deno task test`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { defineCommand, runCommand } from "../../support/command_line.ts";

const command = defineCommand({
  name: "test",
  summary: "Run the tests.",
  description: "Without FILES: the layering of imports, all tests, and the examples in documents.",
  argument: { name: "FILES...", description: "tests to run, files or folders of them" },
  options: {
    filter: { value: "TEXT", description: "only tests whose name has it, or matches /TEXT/" },
  },
  examples: [
    { args: "", does: "runs everything" },
    { args: "tests/kernels/conv2d", does: "runs the tests of a folder" },
    { args: 'tests/diffusion --filter "sampler"', does: "runs those of a name" },
  ],
});

/**
 * Folders whose files run side by side, one a core: what they spend their time on is compiling kernels, and
 * they start no processes, measure no times and change nothing that others see.
 */
const SIDE_BY_SIDE = ["autograd", "diffusion", "kernels", "model"].map((name) => `tests/${name}`);

/** Documents whose examples are tests. */
const DOCUMENTS = ["mod.ts", "lab.ts", "README.md", "docs/library.md"];

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What Deno is asked to do, one after the other until one fails. */
export function testRuns(files: readonly string[], filter?: string): string[][] {
  const test = ["test", "-A", "--frozen", ...filter === undefined ? [] : ["--filter", filter]];
  if (files.length > 0 || filter !== undefined) return [[...test, ...files]];
  return [
    ["run", "-A", "--frozen", `${ROOT}dev/layers/main.ts`],
    [...test, "--parallel", ...SIDE_BY_SIDE],
    [...test, `--ignore=${SIDE_BY_SIDE.join()}`],
    [...test, "--doc", "--no-check", ...DOCUMENTS.map((name) => ROOT + name)],
  ];
}

if (import.meta.main) {
  await runCommand(command, async ({ arguments: files, options }) => {
    for (const args of testRuns(files, options.filter)) {
      const { code } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
      if (code !== 0) return code;
    }
  });
}
