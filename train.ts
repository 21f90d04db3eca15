/**
 * Trains a diffusion model: `deno task train --config FILE [--section.key=value ...]`.
 *
 * @module
 */
import { configWarnings } from "./config/checks.ts";
import { checkpointConfig, formatConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { defineCommand, type Invocation, runCommand } from "./support/command_line.ts";
import { UsageError } from "./support/errors.ts";
import { startProgress } from "./support/terminal.ts";
import { readFlagOverrides } from "./commands/train/flagfile.ts";
import { tellDryRun } from "./commands/train/dry_run.ts";
import { ADAPTER_OPTION } from "./commands/shared/adapter_choice.ts";
import { runEvaluation } from "./commands/shared/evaluation/observer.ts";
import { availableMemory, openScriptGpu } from "./commands/shared/gpu.ts";
import { findCheckpoint } from "./commands/shared/load_sampler.ts";
import { runInstruments, stepInstruments } from "./commands/shared/instruments.ts";
import { chooseRun, compareWithCheckpoint, type RunChoice } from "./commands/train/run_choice.ts";
import { QUICKSTART, RUN_OPTIONS, tuneRun } from "./commands/shared/run_options.ts";
import {
  checkDistribution,
  isFirstProcess,
  joinProcesses,
  type Processes,
  sayFirst,
} from "./commands/shared/processes.ts";
import { profileTraining } from "./commands/shared/step_profile.ts";
import { eventMirror } from "./run_log/event_file.ts";
import { type TuneMode, writeChoices } from "./commands/shared/tuning_tables.ts";
import { ALONE, configOfShare, inTurn } from "./training/collective.ts";
import type { LoopDisplay } from "./training/loop.ts";
import { openImages } from "./data/registry.ts";
import type { Origin } from "./training/origin.ts";
import { networkAt } from "./training/network_of.ts";
import { imagesOf, networkOf, type RunResult, trainRun } from "./training/run.ts";
import { runFolder } from "./training/run_folder.ts";
import { measuredConfig, processOf } from "./training/run_process.ts";
import { watchStopSignals } from "./training/stop_signals.ts";
import { Trainer } from "./training/trainer.ts";

const command = defineCommand({
  name: "train",
  summary: "Train a diffusion model.",
  description: "Writes config.json, log.jsonl, samples/ and checkpoints/ to the folder run.dir. " +
    "Ctrl-C finishes the step, saves and exits; --resume goes on from there. --from begins a new run " +
    "at step 0 with weights of another and a fresh optimiser; any setting may be another. Without " +
    "--config the other run's config is taken, with it what it says nothing of: model and diffusion.",
  options: {
    config: RUN_OPTIONS.config,
    flagfile: {
      value: "FILE",
      description:
        "take the flags of a file of pytorch-ddpm, such as config/CIFAR10.txt, before other " +
        "overrides; without --config its defaults are those of that code",
    },
    resume: {
      description: "go on with the run in run.dir, or start it",
      valueBelongsTo: "run.dir",
    },
    from: {
      value: "RUN_OR_FILE",
      description: "begin with the weights of a run's newest checkpoint, or of a checkpoint",
    },
    weights: {
      value: "KIND",
      choices: ["ema", "raw"],
      description: "which weights --from takes: averaged ones, which samples are drawn with (the " +
        "default), or those of the last step",
    },
    partial: {
      description:
        "let --from bring what fits: what has another name or shape in the run's network starts afresh",
    },
    optimizer: {
      value: "STATE",
      choices: ["fresh", "kept"],
      description:
        "the optimiser of --from: fresh, the default, or with the other run's moments, " +
        "which go with --weights raw",
    },
    dryRun: {
      description: "print the resolved config and the plan of a step with its memory, and exit",
    },
    tune: RUN_OPTIONS.tune,
    adapter: ADAPTER_OPTION,
    profile: { description: "measure one step kernel by kernel, print the times, and exit" },
  },
  overrides: "sets a key of the config, as in --train.batchSize=64",
  examples: [
    { args: "", does: "trains the quickstart on Fashion-MNIST" },
    {
      args: "--config config/cifar10.json --train.batchSize=32 --run.dir=runs/small-batch",
      does: "trains on CIFAR-10 with another batch size",
    },
    {
      args: "--from runs/cifar10 --run.dir=runs/ships --data.classes=ship",
      does: "begins a new run with another's weights on images of one class",
    },
    { args: "--config config/cifar10.json --resume", does: "goes on with runs/cifar10" },
    {
      args: "--from runs/cifar10 --run.dir=runs/tuned --optim.lr=1e-5",
      does: "begins a new run with the averaged weights of another",
    },
  ],
});

/** A bar on a terminal; elsewhere a line whenever the log gets one. */
function display(start: number, steps: number): LoopDisplay & { stop(): void } {
  const bar = startProgress({ label: "train", total: steps, start });
  const live = Deno.stderr.isTerminal();
  return {
    update: (step, note, notable) => {
      if (live || notable) bar.update(step, note);
    },
    print: (line) => bar.print(line),
    stop: () => bar.stop(),
  };
}

/** The display of processes that do not speak. */
const NO_DISPLAY: ReturnType<typeof display> = {
  update: () => {},
  print: () => {},
  stop: () => {},
};

async function profile(given: Config, mode: TuneMode): Promise<void> {
  const gpu = await openScriptGpu();
  await tuneRun(gpu, given, { mode, say: console.log });
  const { images } = await imagesOf(given, console.log);
  const config = await measuredConfig(given, () => Promise.resolve(images), console.log);
  const process = processOf(config);
  const instruments = stepInstruments(gpu, config, { process });
  const network = networkOf(config);
  const trainer = await Trainer.create(
    ...[gpu, config, network, images, instruments, process, ALONE] as const,
    (size) => networkAt(config, size),
  );
  trainer.state.initialize(config.run.seed);
  await profileTraining(trainer);
  trainer.destroy();
  for (const instrument of instruments) instrument.destroy?.();
}

async function run(
  given: RunChoice,
  mode: TuneMode,
  processes: Processes,
): Promise<RunResult> {
  const { dir, begun } = given, say = sayFirst;
  const gpu = await openScriptGpu();
  const collective = processes.collective(gpu);
  const config = await inTurn(
    collective,
    () => measuredConfig(given.config, () => openImages(given.config.data, "train", say), say),
  );
  const choice = { ...given, config };
  for (const warning of configWarnings(config)) say(`note: ${warning}`);
  const stop = new AbortController();
  const cleanUp: (() => void)[] = [];
  const { tuning } = runFolder(dir);
  // What the first has measured the others find.
  const choices = await inTurn(
    collective,
    () =>
      tuneRun(gpu, configOfShare(config, collective.size), {
        mode: mode === "full" && collective.rank > 0 ? "cached" : mode,
        ...{ recorded: begun ? tuning : undefined, say },
      }),
  );
  const process = processOf(config);
  const observers = stepInstruments(gpu, config, { process, say });
  for (const observer of observers) cleanUp.push(() => observer.destroy?.());
  const storedConfig = checkpointConfig(config);
  try {
    return await trainRun(config, {
      gpu,
      dir,
      configText: formatConfig(config),
      checkpointConfig: storedConfig,
      resume: begun,
      memory: availableMemory(gpu) / collective.size,
      origin: choice.origin,
      acceptConfig: (stored, step) => compareWithCheckpoint(choice, stored, step),
      say,
      display: (start, steps) => {
        const shown = collective.rank === 0 ? display(start, steps) : NO_DISPLAY;
        const unwatch = watchStopSignals(
          stop,
          () => shown.print("Finishing the step, then saving; once more to quit at once"),
        );
        cleanUp.push(unwatch, shown.stop);
        return shown;
      },
      signal: stop.signal,
      ...{ process, observers, collective },
      mirror: eventMirror(config, formatConfig(config)),
      observe: async (trainer) => {
        if (collective.rank === 0) await writeChoices(gpu, tuning, choices);
        return [
          ...await runInstruments(config, trainer, say),
          ...await runEvaluation(trainer, { ...config, dir, configText: storedConfig, say }),
        ];
      },
    });
  } finally {
    for (const action of cleanUp) action();
  }
}

/** The weights that the options ask a new run to begin with. */
async function originOf(
  { from, weights, partial, optimizer }: Invocation<typeof command.options>["options"],
): Promise<Origin | undefined> {
  if (from !== undefined) {
    const moments = optimizer === "kept";
    return {
      ...{ checkpoint: await findCheckpoint(from), weights: weights ?? (moments ? "raw" : "ema") },
      ...{ partial, moments },
    };
  }
  const stray = weights !== undefined
    ? "weights"
    : optimizer !== undefined
    ? "optimizer"
    : "partial";
  if (weights === undefined && optimizer === undefined && !partial) return undefined;
  throw new UsageError(
    `Cannot use --${stray}: it must come with --from, ${
      stray === "weights" ? "whose weights it chooses" : "whose state it tells of"
    }`,
  );
}

async function train({ options, overrides }: Invocation<typeof command.options>): Promise<void> {
  const { flagfile, resume, dryRun, profile: profiling } = options;
  const processes = joinProcesses();
  const say = !isFirstProcess() ? () => {} : dryRun ? console.error : console.log;
  const flags = flagfile === undefined ? undefined : await readFlagOverrides(flagfile, say);
  const given = options.config ?? flags?.defaults;
  const choice = await chooseRun({
    origin: await originOf(options),
    file: given ?? QUICKSTART,
    named: given !== undefined,
    overrides: [...flags?.overrides ?? [], ...overrides],
    resume,
    folderMatters: !dryRun && !profiling,
    say,
  });
  const { config, source, dir } = choice;
  const bare = given === undefined && !choice.begun && !choice.origin;
  const title = `${source}${bare ? " (no --config given)" : ""}`;
  if (dryRun) {
    const share = configOfShare(config, processes.size);
    processes.close();
    if (!isFirstProcess()) return;
    // The config alone on standard output, so that it can be kept as a file.
    console.log(formatConfig(config).trimEnd());
    console.error(`From ${title}`);
    const recorded = choice.begun ? runFolder(dir).tuning : undefined;
    return await tellDryRun({ config: share, mode: options.tune, recorded, say: console.error });
  }
  say(`Training ${title} in ${dir}`);
  if (profiling && processes.size === 1) return await profile(config, options.tune);
  if (profiling) throw new UsageError("Cannot profile: it must be done in one process");
  checkDistribution(processes, config.train.distributed, "train.distributed");
  const { step, finished, checkpoint, picture } = await run(choice, options.tune, processes);
  processes.close();
  say(finished ? `Finished ${step} steps` : `Stopped after step ${step}, go on by --resume`);
  say(`checkpoint  ${checkpoint}`);
  if (picture !== null) say(`picture     ${picture}`);
}

if (import.meta.main) await runCommand(command, train);
