/**
 * The diffusion process of a run: its noise levels, what its network outputs, what its loss counts,
 * and how its reverse steps are. It is made once and handed to everything that trains, samples or
 * looks.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";
import { type ProcessOnGpu, type ProcessTables, tablesOnGpu } from "./level_tables.ts";
import { type OutputShares, outputToNoise } from "./parameterization.ts";
import { PARAMETERIZATIONS, type TargetName } from "./parameterizations/registry.ts";
import type { VarianceName } from "./posterior.ts";
import type { Schedule } from "./schedule.ts";
import { makeSchedule, type ScheduleOptions } from "./schedules/registry.ts";
import { type WeightingName, WEIGHTINGS } from "./weightings/registry.ts";

/** Options that a process is made from. */
export interface ProcessOptions extends ScheduleOptions {
  /** What the network is trained to output. Default "epsilon". */
  target: TargetName;
  /** What the loss of each level is multiplied by. Default "uniform". */
  weighting: WeightingName;
  /** Variance of an ancestral step. Default "fixedlarge". */
  variance: VarianceName;
  /** Whether every predicted x0 is clipped to [-1, 1] while sampling. Default true. */
  clipX0: boolean;
}

/** A diffusion process, with one kind of network in mind. */
export interface Process {
  /** Its noise levels. */
  readonly schedule: Schedule;
  /** Shares by row of the schedule. */
  readonly tables: ProcessTables;
  /** The clean image that the network's output at a level implies. */
  toX0(level: number): OutputShares;
  /** The noise that it implies. */
  toNoise(level: number): OutputShares;
  /** What x is multiplied by for the network at a level. */
  inputScale(level: number): number;
  /** Whether the network outputs the mean of an ancestral step. */
  readonly outputsMean: boolean;
  /** Variance of an ancestral step. */
  readonly variance: VarianceName;
  /** Whether every predicted x0 is clipped to [-1, 1]. */
  readonly clipX0: boolean;
  /** The process of the first rows of the schedule alone. */
  first(rows: number): Process;
  /** The same process with its tables on a GPU, for what is recorded there. */
  onGpu(gpu: Gpu): ProcessOnGpu;
}

/**
 * The process of the options.
 *
 * @throws {RangeError} if the schedule's options break their rules
 */
export function makeProcess(options: ProcessOptions): Process {
  return processOn(makeSchedule(options), options);
}

/** The process of the options on levels of another schedule. */
export function processOn(
  schedule: Schedule,
  options: Omit<ProcessOptions, keyof ScheduleOptions>,
): Process {
  const { target, weighting, variance, clipX0 } = options;
  const record = PARAMETERIZATIONS[target];
  const shares = record.on(schedule);
  const { inputScale } = shares;
  const { weight } = WEIGHTINGS[weighting];
  const toX0 = (level: number) => shares.toX0(level);
  const toNoise = (level: number) => outputToNoise(schedule, shares, level);
  const table = (value: (level: number, row: number) => number) => schedule.values.map(value);
  const process: Process = {
    schedule,
    tables: {
      target: {
        x0: table((level) => shares.target(level).x0),
        noise: table((level) => shares.target(level).noise),
        xt: table((level) => shares.target(level).xt),
      },
      toX0: {
        xt: table((level) => toX0(level).xt),
        output: table((level) => toX0(level).output),
      },
      toNoise: {
        xt: table((level) => toNoise(level).xt),
        output: table((level) => toNoise(level).output),
      },
      weight: weight &&
        table((level, row) =>
          weight(schedule.levels[row]!, { toX0: toX0(level), toNoise: toNoise(level) })
        ),
      inputScale: inputScale ? table(inputScale) : null,
      condition: schedule.condition && table(schedule.condition),
    },
    toX0,
    toNoise,
    inputScale: (level) => inputScale?.(level) ?? 1,
    outputsMean: record.isMean ?? false,
    variance,
    clipX0,
    first: (rows) => processOn(schedule.first(rows), options),
    onGpu: (gpu) => tablesOnGpu(gpu, process),
  };
  return process;
}
