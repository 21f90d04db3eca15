/**
 * Writes runs for experiment trackers, and sends models to the Hugging Face hub:
 * `deno task export RUN [RUN ...] --to trackio|wandb`, `deno task export RUN --to hub --repo OWNER/NAME`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join, relative, resolve } from "node:path";
import { encodeWandb } from "../../formats/wandb.ts";
import { forEachRun, type NamedRun } from "../../run_log/named_runs.ts";
import { readTrackedRun, type TrackedRun } from "../../run_log/tracked_run.ts";
import { trackioFile, writeTrackio } from "../../run_log/trackio.ts";
import {
  defineCommand,
  type Invocation,
  optionFlag,
  runCommand,
} from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { expandHome } from "../../support/home.ts";
import { counted } from "../../support/terminal.ts";
import type { StoredDtype } from "../../training/checkpoint.ts";
import { branchName, repositoryName, toHub } from "./hub.ts";

const command = defineCommand({
  name: "export",
  summary: "Write the logs of runs for an experiment tracker, or send a model to the hub.",
  description:
    "trackio and wandb: scalars by step and the config, as files on this machine; nothing is sent. " +
    "trackio: " +
    "its SQLite database, which `trackio show` reads; a run that was exported before is replaced. " +
    "wandb: a folder as W&B writes it offline, which `wandb sync` sends. Pictures stay with the " +
    "run. Times are counted back from the log's last change at the logged speed. hub: the averaged " +
    "weights, config, card and newest samples of one run or checkpoint go to a repository of the " +
    "Hugging Face hub in one commit, in the name of HF_TOKEN, of the file HF_TOKEN_PATH, or of " +
    "`hf auth login`.",
  arguments: [{ name: "RUN...", description: "folders of runs, or with runs in them" }],
  options: {
    to: { value: "WHOM", choices: ["trackio", "wandb", "hub"], description: "whose files" },
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
    repo: {
      value: "OWNER/NAME",
      parse: repositoryName,
      description: "hub: the repository, made where there is none",
    },
    private: { description: "hub: nobody else may see the repository" },
    revision: {
      value: "BRANCH",
      parse: branchName,
      description: "hub: the branch, made where there is none; main by default",
    },
    precision: {
      value: "TYPE",
      choices: ["f32", "bf16", "f16"],
      description: "hub: numbers of the weights; f32 by default",
    },
    license: { value: "NAME", description: "hub: what the card says, as in mit" },
    log: { description: "hub: send the run's log, too" },
    dryRun: { description: "hub: list files and sizes, and send nothing" },
  },
  examples: [
    { args: "runs --to trackio", does: "makes all runs a project that trackio show has" },
    { args: "runs/quickstart --to wandb", does: "writes wandb/offline-run-.../run-....wandb" },
    {
      args: "runs/quickstart --to hub --repo me/clothes --private --dry-run",
      does: "lists what would go to the hub",
    },
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

/** Options that mean nothing for what is asked are refused: nobody should take them for done. */
function checkOptions({ to, ...options }: Options): void {
  const own = to === "hub" ? ["out"] as const : HUB_OPTIONS;
  for (const name of own) {
    if (options[name] === undefined || options[name] === false) continue;
    const others = to === "hub" ? "trackio or wandb" : "hub";
    throw new UsageError(
      `Cannot export: ${optionFlag(name)} must go with --to ${others}, got --to ${to}`,
    );
  }
}

const HUB_OPTIONS = [
  ...["repo", "private", "revision", "precision", "license", "log", "dryRun"] as const,
];

async function sendModel(paths: readonly string[], options: Options): Promise<void> {
  const { repo, revision = null, precision = "f32", license = null } = options;
  if (repo === undefined || paths.length !== 1) {
    throw new UsageError(
      `Cannot export to the hub: one run or checkpoint and --repo OWNER/NAME must be given, got ${
        repo === undefined ? "no --repo" : counted(paths.length, "path")
      }`,
    );
  }
  await toHub(paths[0]!, {
    ...{ repository: repo, branch: revision, isPrivate: options.private, license },
    dtype: precision.toUpperCase() as StoredDtype,
    ...{ withLog: options.log, dryRun: options.dryRun },
  });
}

async function main(
  { arguments: paths, options }: Invocation<typeof command.options>,
): Promise<void> {
  const { to } = options;
  if (to === undefined || paths.length === 0) {
    throw new UsageError(
      "Cannot export: a run's folder and --to trackio, wandb or hub must be given, see --help",
    );
  }
  checkOptions(options);
  if (to === "hub") return await sendModel(paths, options);
  const write = to === "trackio" ? toTrackio : toWandb;
  await forEachRun(paths, "export", async (named) => {
    const run = await readTrackedRun(named.dir, (line) => console.error(`note: ${line}`));
    const file = await write(run, nameOf(named), options);
    console.log(`Wrote ${file} with ${counted(run.rows.length, "row")} of ${named.dir}`);
  });
}

if (import.meta.main) await runCommand(command, main);
