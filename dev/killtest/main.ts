/**
 * Kills training runs at random moments, lets them go on, and compares their ends with a run that was
 * left alone: `deno task killtest`. What is killed when depends on the seed and the machine's speed.
 *
 * @module
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { ensureFolder, listNamedFolder } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import { listCheckpoints } from "../../training/checkpoint.ts";
import { runFolder } from "../../training/run_folder.ts";
import { Random } from "../fuzz/mutate.ts";
import { checkResultFolder } from "../../commands/shared/path_checks.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Everything that a run can write, often; the intervals share no factor. */
const RUN = [
  ...["--train.logEvery=3", "--train.checkpointEvery=7", "--train.sampleEvery=11"],
  ...["--train.evalEvery=13", "--metrics.every=17", '--metrics.names=["spectrum"]'],
  ...["--metrics.best=spectrum", "--metrics.count=16", "--metrics.reference=16"],
];

/** Most kills of one run. */
const MOST_KILLS = 3;
/** Files that appear are let through up to so often before one is answered by a kill. */
const MOST_WRITES = 12;

/** Choices of {@linkcode killRuns}. */
export interface KillOptions {
  /** Runs that are killed, each once or a few times. */
  readonly runs: number;
  readonly seed: number;
  /** Steps of a run. */
  readonly steps: number;
  /** An empty folder for all runs. */
  readonly dir: string;
  readonly say: (line: string) => void;
}

/** What became of the runs. */
export interface KillReport {
  /** Kills that hit a living process. */
  kills: number;
  /** Kills that left a half-written file behind. */
  torn: number;
  /** Kills before the first checkpoint. */
  early: number;
  /** What differs from the run that was left alone, a run each. */
  readonly failures: string[];
}

/** Runs, kills, lets go on, compares. */
export async function killRuns(options: KillOptions): Promise<KillReport> {
  const { runs, seed, steps, dir, say } = options;
  const report: KillReport = { kills: 0, torn: 0, early: 0, failures: [] };
  const whole = join(dir, "whole");
  const begun = performance.now();
  await finish(whole, steps);
  const ms = performance.now() - begun;
  say(`left alone  ${steps} steps in ${(ms / 1000).toFixed(1)} s`);
  for (let run = 0; run < runs; run++) {
    const random = new Random(seed, run);
    const folder = join(dir, `run-${run}`);
    const notes: string[] = [];
    // The machine may have become faster since the first run: then moments are too late.
    let span = ms;
    for (let kills = 1 + random.below(MOST_KILLS); kills > 0;) {
      const hit = await runAndKill(folder, steps, chooseMoment(random, span));
      if (hit === null) {
        if (notes.length > 0) break;
        span *= 0.7;
        await Deno.remove(folder, { recursive: true });
        continue;
      }
      kills--;
      const { torn, step } = await stateOf(folder);
      report.kills++;
      if (torn.length > 0) report.torn++;
      if (step === null) report.early++;
      notes.push(`${hit}${torn.length > 0 ? ", half-written" : ""} (has step ${step ?? "none"})`);
    }
    await finish(folder, steps);
    const differences = await compareRuns(whole, folder);
    const outcome = differences.length === 0 ? "equal" : `DIFFERS: ${differences.join(", ")}`;
    if (differences.length > 0) report.failures.push(`run ${run}: ${differences.join(", ")}`);
    say(`run ${run}  killed ${notes.join("; ")}: ${outcome}`);
  }
  return report;
}

/** When a process is killed: after some time, or when the n-th temporary file appears. */
type Moment = { readonly ms: number } | { readonly write: number };

function chooseMoment(random: Random, ms: number): Moment {
  if (random.below(2) === 0) return { write: 1 + random.below(MOST_WRITES) };
  return { ms: Math.round(ms * random.below(1001) / 1000) };
}

function start(dir: string, steps: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", join(ROOT, "train.ts"), "--config", join(ROOT, "config/smoke.json")],
      ...[`--run.dir=${dir}`, `--train.steps=${steps}`, "--resume", ...RUN],
    ],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Lets a run go on to its end. */
async function finish(dir: string, steps: number): Promise<void> {
  const { code, stderr } = await start(dir, steps).output();
  if (code === 0) return;
  const text = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
  throw new Error(`Cannot finish the run in ${dir}: it must end with 0, got ${code} (${text})`);
}

/** Lets a run go on until its moment has come; says when it was killed, null when it ended before. */
async function runAndKill(dir: string, steps: number, moment: Moment): Promise<string | null> {
  // Watched from the start, so they have to be there.
  for (const folder of ["checkpoints", "samples"]) await ensureFolder(join(dir, folder));
  const child = start(dir, steps);
  let hit = "";
  const kill = (when: string) => {
    if (hit !== "") return;
    hit = when;
    child.kill("SIGKILL");
  };
  const watcher = "write" in moment ? Deno.watchFs(dir) : null;
  const timer = "ms" in moment
    ? setTimeout(() => kill(`after ${(moment.ms / 1000).toFixed(2)} s`), moment.ms)
    : 0;
  const watching = watcher && "write" in moment
    ? killAtWrite(watcher, moment.write, (path) => kill(`at ${relative(dir, path)}`))
    : null;
  const { signal } = await child.output();
  clearTimeout(timer);
  watcher?.close();
  await watching;
  return signal === "SIGKILL" ? hit : null;
}

async function killAtWrite(
  watcher: Deno.FsWatcher,
  writes: number,
  kill: (path: string) => void,
): Promise<void> {
  let seen = 0;
  for await (const { kind, paths: [path] } of watcher) {
    if (kind === "create" && path?.endsWith(".tmp") && ++seen === writes) kill(path);
  }
}

/** What a killed run left: temporary files, and the step of its newest checkpoint. */
async function stateOf(dir: string): Promise<{ torn: string[]; step: number | null }> {
  const files = await filesBelow(dir);
  const [newest] = await listCheckpoints(runFolder(dir).checkpoints);
  return { torn: [...files].filter((name) => name.endsWith(".tmp")), step: newest?.step ?? null };
}

async function filesBelow(dir: string, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(dir, prefix))) {
    const path = prefix + name;
    if (isDirectory) names.push(...await filesBelow(dir, `${path}/`));
    else names.push(path);
  }
  return names.sort();
}

/** Files in which two runs differ, apart from times and from where the runs lie. */
export async function compareRuns(whole: string, other: string): Promise<string[]> {
  const [a, b] = [await filesBelow(whole), await filesBelow(other)];
  const differences: string[] = [];
  for (const name of new Set([...a, ...b])) {
    if (!a.includes(name) || !b.includes(name)) {
      differences.push(`${name} is ${b.includes(name) ? "too many" : "missing"}`);
    } else if (await contentOf(whole, name) !== await contentOf(other, name)) {
      differences.push(name);
    }
  }
  return differences;
}

/** A file's bytes as text, one character each, without what may differ. */
async function contentOf(dir: string, name: string): Promise<string> {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(join(dir, name)));
  if (name === "log.jsonl") return text.replaceAll(/"imagesPerSecond":[^,}]*/g, "");
  return name === "config.json" ? text.replace(/"dir": "[^"]*"/, "") : text;
}

const command = defineCommand({
  name: "killtest",
  summary: "Kill training runs at random moments, resume them, and compare the results.",
  description: "Each run of config/smoke.json is killed with SIGKILL one to three times, after a " +
    "random time or when a random temporary file appears, and must end with the bytes of a run " +
    "that was left alone: checkpoints, pictures, evaluations and, but for times, the log. Exit " +
    "code 1 when one does not.",
  options: {
    runs: { value: "N", parse: integer({ min: 1 }), default: 20, description: "runs to kill" },
    seed: {
      value: "S",
      parse: integer({ min: 0 }),
      default: 1,
      description: "seed of the moments",
    },
    steps: { value: "N", parse: integer({ min: 1 }), default: 120, description: "steps of a run" },
    dir: {
      value: "DIR",
      description: "keep the runs in this folder, which must be empty or not there",
    },
  },
  examples: [{ args: "", does: "kills 20 runs" }, {
    args: "--seed 2 --runs 5",
    does: "kills others",
  }],
});

/** Refuses a folder that has something in it, before a run is begun there; it need not exist. */
async function checkEmpty(dir: string): Promise<void> {
  await checkResultFolder(dir);
  await ensureFolder(dir);
  const [first] = await listNamedFolder("keep runs in", dir);
  if (first) {
    throw new UsageError(
      `Cannot keep runs in ${dir}: the folder must be empty, it has ${first.name}`,
    );
  }
}

if (import.meta.main) {
  await runCommand(command, async ({ options }) => {
    const { runs, seed, steps } = options;
    if (options.dir !== undefined) await checkEmpty(options.dir);
    const dir = options.dir ?? await Deno.makeTempDir({ prefix: "diffract-kill-" });
    console.log(`seed ${seed}, in ${dir}`);
    const report = await killRuns({ runs, seed, steps, dir, say: console.log });
    console.log(
      `${runs} runs, ${report.kills} kills, ${report.torn} of them left a half-written file, ` +
        `${report.early} came before the first checkpoint; ${report.failures.length} runs differ`,
    );
    if (options.dir === undefined && report.failures.length === 0) {
      await Deno.remove(dir, { recursive: true });
    }
    return report.failures.length > 0 ? 1 : 0;
  });
}
