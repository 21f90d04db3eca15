/**
 * Writes event files of runs that have none: `deno task tensorboard RUN [RUN ...]`.
 *
 * @module
 */
import { basename, join, relative, resolve } from "node:path";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { ensureFolder } from "../../support/files.ts";
import { forEachRun, type NamedRun, namedRuns } from "../../run_log/named_runs.ts";
import { EventFile, eventFilesIn } from "../../run_log/event_file.ts";
import { readTimedLog } from "../../run_log/tracked_run.ts";

const command = defineCommand({
  name: "tensorboard",
  summary: "Write the logs of runs as TensorBoard event files.",
  description: "Scalars, preview grids and the config. The times of events are counted back from " +
    "the log's last change at the logged speed. A run writes such files itself with " +
    "--train.tensorboard=true.",
  arguments: [{ name: "RUN...", description: "folders of runs, or with runs in them" }],
  options: {
    out: { value: "DIR", description: "a folder for each run in DIR, instead of the run's own" },
  },
  examples: [
    { args: "runs/quickstart", does: "makes runs/ something that tensorboard --logdir reads" },
    { args: "runs/a runs/b --out events", does: "writes to events/a and events/b" },
  ],
});

/** Writes one run's file and returns its path and the number of lines that it comes from. */
async function exportRun(run: string, folder: string): Promise<{ path: string; count: number }> {
  const { lines, times, ended, configText } = await readTimedLog(run, (line) => {
    console.error(`note: ${line}`);
  });
  await ensureFolder(folder);
  const [present] = eventFilesIn(folder);
  if (present !== undefined) {
    throw new UsageError(
      `Cannot write events of ${run}: ${folder} must have no event files of a run yet, it has ` +
        `${present}; remove it, or choose another folder by --out`,
    );
  }
  const begun = times[0] ?? ended;
  const file = EventFile.create({ run, folder, start: 0, configText, begun });
  try {
    lines.forEach((line, i) => file.write(line, times[i]));
  } finally {
    file.close();
  }
  return { path: file.path, count: lines.length };
}

/** Where a run's events go in `out`: by the name of what was named, and the path below it. */
function folderIn(out: string, { dir, path }: NamedRun): string {
  return join(out, basename(resolve(path)), relative(path, dir));
}

/**
 * Checks that each run gets a folder of its own, before any is written.
 *
 * @throws {UsageError} When two would share one.
 */
function checkApart(runs: readonly NamedRun[], out: string): void {
  const taken = new Map<string, string>();
  for (const run of runs) {
    const folder = folderIn(out, run), other = taken.get(folder);
    if (other !== undefined) {
      throw new UsageError(
        `Cannot write events of ${other} and ${run.dir}: each must have a folder of its own, both ` +
          `would get ${folder}; write them one at a time, each with another --out`,
      );
    }
    taken.set(folder, run.dir);
  }
}

async function main(
  { arguments: paths, options: { out } }: Invocation<typeof command.options>,
): Promise<void> {
  if (paths.length === 0) {
    throw new UsageError("Cannot write events: a run's folder must be named, see --help");
  }
  const verb = "write events of";
  if (out !== undefined) checkApart(await namedRuns(paths, verb, () => {}), out);
  await forEachRun(paths, verb, async (run) => {
    const folder = out === undefined ? run.dir : folderIn(out, run);
    const { path: written, count } = await exportRun(run.dir, folder);
    console.log(`Wrote ${written} from ${count} lines`);
  });
}

if (import.meta.main) await runCommand(command, main);
