/**
 * Runs an experiment: `deno task experiment FILE`.
 *
 * @module
 */
import { join } from "node:path";
import { type Experiment, type ExperimentRun, loadExperiment } from "../../config/experiment.ts";
import type { Override } from "../../config/load.ts";
import type { Gpu } from "../../device/gpu.ts";
import { type ExperimentNote, notePath } from "../../run_log/read_run.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import { formatTable, startProgress } from "../../support/terminal.ts";
import type { LoopDisplay } from "../../training/loop.ts";
import { NonFiniteError } from "../../training/non_finite.ts";
import { watchStopSignals } from "../../training/stop_signals.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { Results } from "./results.ts";
import { readSamples, runOne, type RunSamples } from "./run_one.ts";
import { FAILED, runWorkers } from "./workers.ts";

const command = defineCommand({
  name: "experiment",
  summary: "Run a grid of methods and seeds from one file, and compare them.",
  description: "Every run is a run as of train, in DIR/METHOD/seed-N. Ctrl-C finishes the step, " +
    "saves and ends; the same command goes on, whatever ended it. What is done is left alone.",
  argument: { name: "FILE", description: "the experiment, as in config/spectral/" },
  options: {
    jobs: {
      value: "N",
      description: "runs at a time, each in a process of its own; 1 unless given",
      parse: integer({ min: 1 }),
    },
    only: {
      value: "RUN",
      description: "do this run alone, as METHOD/seed-N, without tables: for several machines",
    },
    dryRun: { description: "print the grid, and exit" },
  },
  overrides: "sets a key of every run's config; run.dir is the experiment's folder",
  examples: [
    { args: "config/spectral/cifar10-16.json", does: "runs four methods with three seeds each" },
    {
      args: "config/spectral/synthetic.json --train.steps=100 --run.dir=runs/try",
      does: "the same on synthetic fields, cut short, elsewhere",
    },
  ],
});

type Display = LoopDisplay & { stop(): void };

/** A bar on a terminal; elsewhere a line now and then. */
function display(label: string, start: number, steps: number): Display {
  const bar = startProgress({ label, total: steps, start });
  const live = Deno.stderr.isTerminal();
  const every = Math.ceil(steps / 10);
  return {
    update: (step, note) => {
      if (live || step % every === 0 || step === steps) bar.update(step, note);
    },
    print: (line) => bar.print(line),
    stop: () => bar.stop(),
  };
}

/** As `--only` names it. */
function nameOf({ method, seed }: ExperimentRun): string {
  return `${method}/seed-${seed}`;
}

function labelOf({ method, seed }: ExperimentRun): string {
  return `${method}, seed ${seed}`;
}

/** Does runs one after the other; those that are done, and those that failed. */
async function runInTurn(
  runs: readonly ExperimentRun[],
  { gpu, samples, early, stop, add }: {
    readonly gpu: Gpu;
    readonly stop: AbortController;
    readonly add: (run: ExperimentRun, made: RunSamples) => Promise<void>;
  } & Pick<Experiment, "samples" | "early">,
): Promise<Progress> {
  const done: ExperimentRun[] = [], failed: string[] = [];
  for (const [i, run] of runs.entries()) {
    if (stop.signal.aborted) break;
    console.log(`Run ${i + 1} of ${runs.length}: ${labelOf(run)}`);
    try {
      const made = await runOne(run, {
        ...{ gpu, samples, early, signal: stop.signal, say: console.log },
        display: (start, steps) => display(labelOf(run), start, steps),
      });
      if (!made) break;
      await add(run, made);
      done.push(run);
    } catch (error) {
      // It would come to the same again; the other runs need not.
      if (!(error instanceof NonFiniteError)) throw error;
      console.error(`error: ${error.message}`);
      failed.push(nameOf(run));
    }
  }
  return { done, failed };
}

interface Progress {
  readonly done: readonly ExperimentRun[];
  readonly failed: readonly string[];
}

/** Does the runs in processes, and collects what they have made. */
async function runApart(
  { experiment, file, overrides, jobs }: Chosen,
  results: Results,
  stop: AbortController,
): Promise<Progress> {
  const failed = await runWorkers(experiment.runs.map(nameOf), {
    ...{ file, overrides, jobs, signal: stop.signal, say: console.log },
  });
  const done: ExperimentRun[] = [];
  for (const run of experiment.runs) {
    const made = await readSamples(run.config.run.dir ?? "", experiment.samples);
    if (!made) continue;
    await results.add(run, made);
    done.push(run);
  }
  return { done, failed };
}

/** What is to be done. */
interface Chosen {
  readonly experiment: Experiment;
  readonly file: string;
  readonly overrides: readonly Override[];
  readonly jobs: number;
}

/** Does one run of the grid alone, for another process that collects it. */
async function runAlone(experiment: Experiment, name: string): Promise<number> {
  const run = experiment.runs.find((each) => nameOf(each) === name);
  if (!run) {
    throw new UsageError(
      `Cannot run ${name} alone: it must be a run of the experiment, such as ${
        nameOf(experiment.runs[0]!)
      }`,
    );
  }
  const gpu = await openScriptGpu(), stop = new AbortController();
  const unwatch = watchStopSignals(stop, () => console.error("Finishing the step, then saving"));
  const results = new Results(gpu, experiment);
  try {
    const { failed } = await runInTurn([run], {
      ...{ gpu, ...experiment, stop },
      add: (run, made) => results.judge(run, made),
    });
    return failed.length > 0 ? FAILED : 0;
  } finally {
    unwatch();
  }
}

async function runAll(chosen: Chosen): Promise<number> {
  const { experiment, jobs } = chosen;
  const { runs, dir, name, about, methods } = experiment;
  const gpu = await openScriptGpu();
  await ensureFolder(dir);
  const note: ExperimentNote = { name, about, methods };
  await atomicWrite(notePath(dir), `${JSON.stringify(note)}\n`);
  const stop = new AbortController();
  const unwatch = watchStopSignals(
    stop,
    () => console.error("Finishing the step, then saving; once more to quit at once"),
  );
  const results = new Results(gpu, experiment);
  let progress: Progress;
  try {
    progress = jobs > 1 ? await runApart(chosen, results, stop) : await runInTurn(runs, {
      ...{ gpu, ...experiment, stop },
      add: (run, made) => results.add(run, made),
    });
  } finally {
    unwatch();
  }
  const { done, failed } = progress;
  if (done.length > 0) await results.write(done);
  for (const run of failed) console.error(`${run} failed; the others do not wait for it`);
  if (done.length < runs.length) {
    console.log(`${done.length} of ${runs.length} runs are done; the same command goes on`);
    return failed.length > 0 ? 1 : 0;
  }
  console.log(`Wrote ${join(dir, "table.md")}; deno task report ${dir} draws the pictures`);
  return 0;
}

async function main(
  { options, argument, overrides }: Invocation<typeof command.options>,
): Promise<number> {
  if (argument === undefined) {
    throw new UsageError("Cannot run an experiment: its file must be named, see --help");
  }
  const experiment = await loadExperiment(argument, overrides);
  const { dryRun, only, jobs = 1 } = options;
  if (only !== undefined) return await runAlone(experiment, only);
  if (!dryRun) return await runAll({ experiment, file: argument, overrides, jobs });
  const rows = experiment.runs.map(({ method, seed, config }) => [
    ...[method, seed, config.train.steps, config.run.dir ?? ""],
  ]);
  console.log(formatTable(["method", "seed", "steps", "folder"], rows));
  return 0;
}

if (import.meta.main) await runCommand(command, main);
