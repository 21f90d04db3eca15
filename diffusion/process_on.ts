/**
 * What a process is, and the one whose levels are alike at all frequencies.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";
import { type ProcessOnGpu, type ProcessTables, tablesOnGpu } from "./level_tables.ts";
import { type Compared, compared, type LossQuantity } from "./loss_quantity.ts";
import type { Bands } from "./bands.ts";
import type { DrawNoise } from "./noises/record.ts";
import { noiseOf, type NoiseOptions, noiseOptions } from "./noises/registry.ts";
import {
  type OutputShares,
  outputToNoise,
  type TargetSettings,
  type XprevOutput,
} from "./parameterization.ts";
import { PARAMETERIZATIONS, type TargetName } from "./parameterizations/registry.ts";
import type { ReverseVariance } from "./posterior.ts";
import { SIGMA_DATA } from "./preconditionings/edm.ts";
import type { Schedule } from "./schedule.ts";
import type { PathSettings } from "./spacing.ts";
import { type ForcingOptions, type SpectralForcing, spectralForcing } from "./spectral_forcing.ts";
import type { ProcessSettings } from "./processes/registry.ts";
import type { ScheduleOptions } from "./schedules/registry.ts";
import { type WeightingName, weightingOf, type WeightingOptions } from "./weightings/registry.ts";

/** Options that a process is made from. */
export interface ProcessOptions extends ScheduleOptions, ProcessSettings {
  /** What the network is trained to output. Default "epsilon". */
  target: TargetName;
  /** How a network of target xprev says the mean; "mean", as it is, unless given. */
  xprevOutput?: XprevOutput;
  /** What the loss of each level is multiplied by. Default "uniform". */
  weighting: WeightingName;
  /** Options of weightings; their defaults unless given. */
  weightingOptions?: Partial<WeightingOptions>;
  /** What the loss compares; the network's output unless given. */
  lossOn?: LossQuantity;
  /** Largest share of the output in what the loss compares; null, or not given, = any. */
  lossLimit?: number | null;
  /** Whether what the output should be is limited with it; true unless given. */
  lossLimitTarget?: boolean;
  /** Standard deviation of the clean images, for what goes by it; 0.5 unless given. */
  sigmaData?: number;
  /** What frequencies the network sees; all unless given. */
  spectralForcing?: ForcingOptions;
  /** The noise; standard normal unless given. */
  noise?: Partial<NoiseOptions>;
  /** Variance of an ancestral step. Default "fixedlarge". */
  variance: ReverseVariance;
  /** Whether every predicted x0 is clipped to [-1, 1] while sampling. Default true. */
  clipX0: boolean;
}

/** What a process that differs by frequency consists of. */
export interface Banded {
  /** Its name. */
  readonly name: string;
  /** Whether solvers that extrapolate are unstable. */
  readonly stiff: boolean;
  /** The frequencies that go together. */
  readonly bands: Bands;
  /** The process of each band. */
  readonly processes: readonly Process[];
  /** Deviation of what sampling starts from, by band. */
  readonly start: Float64Array;
  /** The mean of what it starts from, a channel; none where it starts from noise. */
  readonly startMean: readonly number[] | null;
}

/**
 * How a band's process goes along with the others: networks are asked about all frequencies at once, so
 * levels are picked for all together.
 */
export interface Steering {
  /** The levels of a path. */
  levels(settings: PathSettings): number[];
  /** The level that is asked for next beside those, whatever sigma it has here; null where there is none. */
  next(sigma: number): number | null;
}

/** A diffusion process, with one kind of network in mind. */
export interface Process {
  /** Its noise levels: those of ddpm where they differ by frequency. */
  readonly schedule: Schedule;
  /** The processes of its bands, where they differ by frequency; its coefficients are then theirs. */
  readonly banded: Banded | null;
  /** What a band's levels are picked by; its own schedule unless given. */
  readonly steering?: Steering;
  /** Shares by row of the schedule, and by band where they differ: `[T]` or `[T, B]`. */
  readonly tables: ProcessTables;
  /** The clean image that the network's output at a level implies. */
  toX0(level: number): OutputShares;
  /** The noise that it implies. */
  toNoise(level: number): OutputShares;
  /** What x is multiplied by for the network at a level. */
  inputScale(level: number): number;
  /** What the noise of a network of two outputs implies at a level; null for networks of one. */
  readonly noiseBranch: ((level: number) => OutputShares) | null;
  /** Which of its frequencies the network sees; null where it sees all. */
  readonly forcing: SpectralForcing | null;
  /** Draws its noise. */
  readonly drawNoise: DrawNoise;
  /** Whether the network outputs the mean of an ancestral step. */
  readonly outputsMean: boolean;
  /** Variance of an ancestral step. */
  readonly variance: ReverseVariance;
  /** Whether every predicted x0 is clipped to [-1, 1]. */
  readonly clipX0: boolean;
  /** The process of the first rows of the schedule alone. */
  first(rows: number): Process;
  /** The same process with its tables on a GPU, for what is recorded there. */
  onGpu(gpu: Gpu): ProcessOnGpu;
}

/** What a process of given levels is made from. */
export type LevelOptions = Omit<ProcessOptions, keyof ScheduleOptions | keyof ProcessSettings>;

/** The process of the options on levels of another schedule, alike at all frequencies. */
export function processOn(
  schedule: Schedule,
  options: LevelOptions,
): Process {
  const { target, weighting, variance, clipX0 } = options;
  const data: TargetSettings = {
    sigmaData: options.sigmaData ?? SIGMA_DATA,
    xprevOutput: options.xprevOutput,
  };
  const record = PARAMETERIZATIONS[target];
  if (record.needsSignal && schedule.levels.at(-1)!.signal === 0) {
    throw new RangeError(
      `Cannot make a process: target ${target} needs some signal at every level, but the schedule ` +
        "ends without; v, velocity and x0 need none",
    );
  }
  if (record.needsTimesteps && schedule.condition) {
    throw new RangeError(
      `Cannot make a process: target ${target} needs counted timesteps, but the levels of the schedule ` +
        "are continuous; all other targets go with them",
    );
  }
  const shares = record.on(schedule, data);
  const { inputScale, noiseBranch = null } = shares;
  const forcing = spectralForcing(options.spectralForcing);
  if (noiseBranch && forcing) {
    throw new RangeError(
      `Cannot make a process: target ${target} needs images of all frequencies, spectral forcing hides ` +
        "some; v, velocity and x0 go with it",
    );
  }
  const weight = weightingOf(weighting, options.weightingOptions, data);
  const toX0 = (level: number) => shares.toX0(level);
  const toNoise = (level: number) => outputToNoise(schedule, shares, level);
  const table = (value: (level: number, row: number) => number) => schedule.values.map(value);
  const loss = comparedOf(schedule, options, { toX0, toNoise });
  const process: Process = {
    schedule,
    banded: null,
    tables: {
      loss: loss && sharesByRow(table, loss),
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
        table((level, row) => {
          const share = loss ? loss(level, row).prediction.output : 1;
          const of = ({ xt, output }: OutputShares) => ({ xt, output: output / share });
          return weight(schedule.levels[row]!, {
            toX0: of(toX0(level)),
            toNoise: of(toNoise(level)),
          });
        }),
      inputScale: inputScale ? table(inputScale) : null,
      noiseBranch: noiseBranch && branchTable(schedule, noiseBranch),
      condition: schedule.condition && table(schedule.condition),
      cutoff: forcing && table((_, row) => forcing.cutoff(schedule.levels[row]!)),
    },
    toX0,
    toNoise,
    inputScale: (level) => inputScale?.(level) ?? 1,
    noiseBranch,
    forcing,
    drawNoise: noiseOf(noiseOptions(options.noise)),
    outputsMean: shares.isMean ?? false,
    variance,
    clipX0,
    first: (rows) => processOn(schedule.first(rows), options),
    onGpu: (gpu) => tablesOnGpu(gpu, process),
  };
  return process;
}

/** How the output is read, by level. */
interface Reading {
  toX0(level: number): OutputShares;
  toNoise(level: number): OutputShares;
}

type ByRow<T> = (level: number, row: number) => T;

/** Both shares of each row, [2 T]. */
function branchTable({ values }: Schedule, read: (level: number) => OutputShares): Float64Array {
  const pairs = Array.from(values, (level) => read(level));
  return Float64Array.from(pairs.flatMap(({ xt, output }) => [xt, output]));
}

/** What the loss compares at each row, or null where that is the output and its target. */
function comparedOf(
  { levels }: Schedule,
  { lossOn = "output", lossLimit = null, lossLimitTarget = true }: Partial<ProcessOptions>,
  { toX0, toNoise }: Reading,
): ByRow<Compared> | null {
  if (lossOn === "output") return null;
  const limit = { limit: lossLimit, limitTarget: lossLimitTarget };
  return (level, row) => {
    const read = { toX0: toX0(level), toNoise: toNoise(level) };
    return compared(lossOn, levels[row]!, read, limit);
  };
}

function sharesByRow(
  table: (value: ByRow<number>) => Float64Array,
  loss: ByRow<Compared>,
): Compared<Float64Array> {
  const of = (read: (shares: Compared) => number) => table((level, row) => read(loss(level, row)));
  return {
    prediction: {
      xt: of(({ prediction }) => prediction.xt),
      output: of(({ prediction }) => prediction.output),
    },
    target: {
      x0: of(({ target }) => target.x0),
      noise: of(({ target }) => target.noise),
      xt: of(({ target }) => target.xt),
    },
  };
}
