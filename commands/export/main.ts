/**
 * Writes runs for experiment trackers: `deno task export RUN [RUN ...] --to trackio|wandb`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join, relative, resolve } from "node:path";
import { encodeWandb } from "../../formats/wandb.ts";
import { forEachRun, type NamedRun } from "../../run_log/named_runs.ts";
import { readTrackedRun, type TrackedRun } from "../../run_log/tracked_run.ts";
import { trackioFile, writeTrackio } from "../../run_log/trackio.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { expandHome } from "../../support/home.ts";
import { counted } from "../../support/terminal.ts";

const command = defineCommand({
  name: "export",
  summary: "Write the logs of runs for an experiment tracker.",
  description:
    "Scalars by step and the config, as files on this machine; nothing is sent. trackio: " +
    "its SQLite database, which `trackio show` reads; a run that was exported before is replaced. " +
    "wandb: a folder as W&B writes it offline, which `wandb sync` sends. Pictures stay with the " +
    "run. Times are counted back from the log's last change at the logged speed.",
  arguments: [{ name: "RUN...", description: "folders of runs, or with runs in them" }],
  options: {
    to: { value: "TRACKER", choices: ["trackio", "wandb"], description: "whose files" },
    project: {
      value: "NAME",
      default: "diffract",
      description: "the project that the runs go to",
    },
    out: {
      value: "DIR",
      description: "where its files go: Trackio's own folder ($TRACKIO_DIR, else " +
        "~/.cache/huggingface/trackio), or wandb/ here",
    },
  },
  examples: [
    { args: "runs --to trackio", does: "makes all runs a project that trackio show has" },
    { args: "runs/quickstart --to wandb", does: "writes wandb/offline-run-.../run-....wandb" },
  ],
});

type Options = Invocation<typeof command.options>["options"];

/** Trackio's folder, as its client finds it. */
function trackioFolder(): string {
  const given = Deno.env.get("TRACKIO_DIR");
  if (given) return given;
  const hub = Deno.env.get("HF_HOME") || expandHome("~/.cache/huggingface");
  return join(hub, "trackio");
}

/** A run's name for a person: its path below where the command was given. */
function nameOf({ dir }: NamedRun): string {
  const path = relative(".", resolve(dir));
  const parts = path.split(/[/\\]/).filter((part) => part !== "..");
  return (parts[0] === "runs" && parts.length > 1 ? parts.slice(1) : parts).join("/");
}

async function toTrackio(run: TrackedRun, name: string, { out, project }: Options) {
  const folder = out ?? trackioFolder();
  await ensureFolder(folder);
  const file = trackioFile(folder, project);
  writeTrackio(file, name, run);
  return file;
}

async function toWandb(run: TrackedRun, name: string, { out = "wandb", project }: Options) {
  const hash = createHash("sha256").update(JSON.stringify([name, run.config])).digest("hex");
  const id = BigInt(`0x${hash}`).toString(36).slice(0, 8);
  await ensureFolder(out);
  for (const { name: present } of Deno.readDirSync(out)) {
    if (!present.startsWith("offline-run-") || !present.endsWith(`-${id}`)) continue;
    throw new UsageError(
      `Cannot write run ${name} to ${out}: it must not be there yet, ${present} is; remove that, or ` +
        "choose another --out",
    );
  }
  const [date, time] = new Date(run.begun * 1000).toISOString().slice(0, 19).split("T");
  const stamp = `${date!.replaceAll("-", "")}_${time!.replaceAll(":", "")}`;
  const folder = join(out, `offline-run-${stamp}-${id}`), file = join(folder, `run-${id}.wandb`);
  await ensureFolder(join(folder, "files"));
  const { config, rows: history, begun, ended } = run;
  await atomicWrite(
    file,
    encodeWandb({ id, project, name, config, begun, ended, history }, "diffract"),
  );
  return file;
}

async function main(
  { arguments: paths, options }: Invocation<typeof command.options>,
): Promise<void> {
  const { to } = options;
  if (to === undefined || paths.length === 0) {
    throw new UsageError(
      "Cannot export: a run's folder and --to trackio or wandb must be given, see --help",
    );
  }
  const write = to === "trackio" ? toTrackio : toWandb;
  await forEachRun(paths, "export", async (named) => {
    const run = await readTrackedRun(named.dir, (line) => console.error(`note: ${line}`));
    const file = await write(run, nameOf(named), options);
    console.log(`Wrote ${file} with ${counted(run.rows.length, "row")} of ${named.dir}`);
  });
}

if (import.meta.main) await runCommand(command, main);
