/**
 * `deno task completion SHELL`: a script that completes our tasks, their options and every key of a
 * config.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { CONFIG } from "../../config/description.ts";
import { DATASET_NAMES } from "../../data/options.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { listTasks, loadDeclarations } from "./declarations.ts";
import { completionScript, type Shell, SHELLS } from "./script.ts";
import { completionTable } from "./table.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const command = defineCommand({
  name: "completion",
  summary: "Print a script that completes tasks and their options in bash, zsh or fish.",
  description: "It completes what comes after `deno task` and `./denow task` in a checkout of " +
    "this project: tasks, options, config files, dotted keys and their values, data sets, runs. " +
    "Everything else that completes deno stays as it is. Print it anew after an update.",
  argument: { name: "SHELL", description: SHELLS.join(", "), suggestions: SHELLS },
  options: {},
  examples: [
    {
      args: "bash > ~/.diffract-completion.bash",
      does: "then add to ~/.bashrc: source ~/.diffract-completion.bash",
    },
    {
      args: "zsh > ~/.diffract-completion.zsh",
      does: "then add to ~/.zshrc, after compinit: source ~/.diffract-completion.zsh",
    },
    {
      args: "fish > ~/.config/fish/conf.d/diffract.fish",
      does: "read by the next fish that starts",
    },
  ],
});

/** The lines of the table for the checkout in `root`. */
export async function makeTable(root: string): Promise<string[]> {
  const tasks = await listTasks(root);
  return completionTable({
    tasks,
    commands: await loadDeclarations(root, tasks),
    config: CONFIG,
    words: { dataset: DATASET_NAMES },
  });
}

if (import.meta.main) {
  await runCommand(command, async ({ argument }) => {
    if (!SHELLS.includes(argument as Shell)) {
      throw new UsageError(
        `Cannot print a completion script: SHELL must be one of ${SHELLS.join(", ")}, got ${
          argument ?? "none"
        }`,
      );
    }
    console.log(await completionScript(argument as Shell, await makeTable(ROOT)));
  });
}
