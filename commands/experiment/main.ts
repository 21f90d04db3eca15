/**
 * Runs an experiment: `deno task experiment FILE`.
 *
 * @module
 */
import { join } from "node:path";
import { type Experiment, type ExperimentRun, loadExperiment } from "../../config/experiment.ts";
import { loadImages } from "../../data/registry.ts";
import type { Gpu } from "../../device/gpu.ts";
import { SpectralReference } from "../../metrics/instruments/spectra.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { formatTable, startProgress } from "../../support/terminal.ts";
import type { LoopDisplay } from "../../training/loop.ts";
import { watchStopSignals } from "../../training/stop_signals.ts";
import { compareMethods, differencesTable, markdownTable, meansTable } from "./compare.ts";
import { runOne, type RunSamples } from "./run_one.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { QUANTITIES } from "../../run_log/quantities.ts";
import {
  type ExperimentNote,
  type Method,
  notePath,
  readRun,
  resultPath,
  type SamplesResult,
} from "../../run_log/read_run.ts";

/** Training images that samples are compared with, spread over the set. */
const REFERENCE_IMAGES = 5000;

const command = defineCommand({
  name: "experiment",
  summary: "Run a grid of methods and seeds from one file, and compare them.",
  description: "Every run is a run as of train, in DIR/METHOD/seed-N. Ctrl-C finishes the step, " +
    "saves and ends; the same command goes on, whatever ended it. What is done is left alone.",
  argument: { name: "FILE", description: "the experiment, as in config/spectral/" },
  options: {
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

function labelOf({ method, seed }: ExperimentRun): string {
  return `${method}, seed ${seed}`;
}

/** Spectra of all samples that there are, and the tables made of them. */
class Results {
  readonly #powers = new Map<string, Float64Array>();

  private constructor(
    private readonly experiment: Experiment,
    private readonly reference: SpectralReference,
  ) {}

  static async create(gpu: Gpu, experiment: Experiment): Promise<Results> {
    const { config } = experiment.runs[0]!;
    const images = await loadImages(config.data, "train", console.log);
    return new Results(experiment, await SpectralReference.create(gpu, images, REFERENCE_IMAGES));
  }

  /** Measures a run's samples and writes the result beside them. */
  async add({ method, seed, config }: ExperimentRun, { images }: RunSamples): Promise<void> {
    const powers = await this.reference.measure(images);
    this.#powers.set(`${method} ${seed}`, powers);
    const result: SamplesResult = {
      step: config.train.steps,
      data: this.reference.data,
      samples: this.reference.compare(powers),
    };
    await atomicWrite(resultPath(config.run.dir ?? ""), `${JSON.stringify(result)}\n`);
  }

  /** Prints the tables and writes them to the experiment's folder. */
  async write(done: readonly ExperimentRun[]): Promise<void> {
    const { dir, name, about } = this.experiment;
    const records = await Promise.all(done.map(({ config }) => readRun(config.run.dir ?? "")));
    const methods = this.experiment.methods.flatMap((method): Method[] => {
      const own = records.filter((_, i) => done[i]!.method === method);
      return own.length > 0 ? [{ name: method, runs: own }] : [];
    });
    const means = meansTable(methods);
    const comparisons = compareMethods(
      methods,
      this.reference,
      (method, seed) => this.#powers.get(`${method} ${seed}`),
    );
    const differences = differencesTable(comparisons);
    console.log(formatTable(means.head, means.rows));
    const base = methods[0]?.name ?? "";
    if (comparisons.length > 0) {
      console.log(`Differences from ${base} at the same seed`);
      console.log(formatTable(differences.head, differences.rows));
    }
    const notes = QUANTITIES.map(({ label, about }) => `- ${label}: ${about}`);
    const text = [
      `# ${name}`,
      about,
      "Mean ± half the 95 % interval of Student's t over seeds.",
      markdownTable(means),
      `Differences from ${base} at the same seed: mean ± half the 95 % interval of t over seeds; the ` +
      "smallest difference that this design sees four times in five; 95 % intervals of the " +
      "bootstrap over samples, a seed each.",
      markdownTable(differences),
      notes.join("\n"),
    ].filter((part) => part !== "").join("\n\n");
    await atomicWrite(join(dir, "table.md"), `${text}\n`);
    const runs = records.map(({ dir, seed, final }) => ({ dir, seed, final }));
    const json = { name, about, runs, comparisons };
    await atomicWrite(join(dir, "table.json"), `${JSON.stringify(json, null, 1)}\n`);
  }
}

async function runAll(experiment: Experiment): Promise<number> {
  const { runs, dir, samples, name, about, methods } = experiment;
  const gpu = await openScriptGpu();
  await ensureFolder(dir);
  const note: ExperimentNote = { name, about, methods };
  await atomicWrite(notePath(dir), `${JSON.stringify(note)}\n`);
  const stop = new AbortController();
  const unwatch = watchStopSignals(
    stop,
    () => console.error("Finishing the step, then saving; once more to quit at once"),
  );
  const results = await Results.create(gpu, experiment);
  const done: ExperimentRun[] = [];
  try {
    for (const [i, run] of runs.entries()) {
      if (stop.signal.aborted) break;
      console.log(`Run ${i + 1} of ${runs.length}: ${labelOf(run)}`);
      const made = await runOne(run, {
        ...{ gpu, samples, signal: stop.signal, say: console.log },
        display: (start, steps) => display(labelOf(run), start, steps),
      });
      if (!made) break;
      await results.add(run, made);
      done.push(run);
    }
  } finally {
    unwatch();
  }
  if (done.length > 0) await results.write(done);
  if (done.length < runs.length) {
    console.log(`${done.length} of ${runs.length} runs are done; the same command goes on`);
    return 0;
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
  if (!options.dryRun) return await runAll(experiment);
  const rows = experiment.runs.map(({ method, seed, config }) => [
    ...[method, seed, config.train.steps, config.run.dir ?? ""],
  ]);
  console.log(formatTable(["method", "seed", "steps", "folder"], rows));
  return 0;
}

if (import.meta.main) await runCommand(command, main);
