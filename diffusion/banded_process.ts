/**
 * Processes whose levels differ by frequency (processes/record.ts). Each band is a process of its own with a
 * schedule of its own, so that parameterizations, posteriors and solvers are what they are for one level; what
 * is recorded on the GPU combines transforms by the tables of all bands (banded_tables.ts), and a sampler's
 * moves hold the coefficients of each (banded_moves.ts).
 *
 * @module
 */
import { bandedOnGpu } from "./banded_tables.ts";
import { type Bands, bandsOf, meanOverPoints, type Plane } from "./bands.ts";
import type { ProcessTables } from "./level_tables.ts";
import { PARAMETERIZATIONS } from "./parameterizations/registry.ts";
import { type LevelOptions, type Process, processOn, type ProcessOptions } from "./process_on.ts";
import {
  FORWARD_PROCESSES,
  type ForwardOptions,
  forwardOptions,
  type ForwardProcessName,
} from "./processes/registry.ts";
import type { ForwardProcessRecord, FrequencyShares } from "./processes/record.ts";
import { type Level, type NoiseLevel, type Schedule, scheduleFromLevels } from "./schedule.ts";
import { unitRings } from "./frequency.ts";

/** Least signal that a network which predicts the noise can be read at, in f32. */
const LEAST_SIGNAL = 1e-9;
/** Least power of the images' spectrum, as a share of its mean: a frequency without any would get no noise. */
const LEAST_POWER = 1e-8;

/** Levels by band and row, and the schedule that they stand for. */
interface BandLevels {
  readonly bands: Bands;
  /** That of ddpm, or the process's own. */
  readonly schedule: Schedule;
  /** `[B][T]` */
  readonly levels: readonly (readonly BandLevel[])[];
  readonly start: Float64Array;
  readonly startMean: readonly number[] | null;
  readonly stiff: boolean;
}

/** A level of a band, with what sets it apart from the level of all. */
interface BandLevel extends NoiseLevel {
  /** Deviation of the noise at this frequency over that of all frequencies together. */
  readonly colour: number;
  /** Root of the SNR at this frequency over that of ddpm. */
  readonly whitening: number;
}

/**
 * The process of the options.
 *
 * @throws {RangeError} if a frequency does not get noisier from step to step, the spectrum is missing or of
 *   another size, the target needs signal where there is none, or networks give two outputs
 */
export function bandedProcess(base: Schedule, options: ProcessOptions, plane: Plane): Process {
  const name = options.process ?? "ddpm";
  const record = FORWARD_PROCESSES[name], settings = forwardOptions(options.processOptions);
  const found = levelsOfBands(base, name, record, settings, plane);
  checkSignal(found, options, name);
  if (PARAMETERIZATIONS[options.target].outputs) {
    throw new RangeError(
      `Cannot make process ${name}: target ${options.target} reads pixels, so that the process must be ` +
        "alike at all frequencies; take ddpm, or target v or x0",
    );
  }
  return processOfBands(found, options, name);
}

/** The process of levels by band. */
function processOfBands(found: BandLevels, options: LevelOptions, name: string): Process {
  const { bands, schedule, levels, start, startMean, stiff } = found;
  const processes = levels.map((own, band) =>
    processOn(bandSchedule(own, { name, radius: bands.radii[band]! }), options)
  );
  const plain = processOn(schedule, options);
  const process: Process = {
    ...plain,
    banded: { name, stiff, bands, processes, start, startMean },
    tables: {
      ...tablesOfBands(processes),
      weight: plain.tables.weight,
      cutoff: plain.tables.cutoff,
    },
    first: (rows) =>
      processOfBands(
        {
          ...found,
          schedule: schedule.first(rows),
          levels: levels.map((own) => own.slice(0, rows)),
        },
        options,
        name,
      ),
    onGpu: (gpu) => bandedOnGpu(gpu, process),
  };
  return process;
}

/** Tables of bands side by side, [T, B]. */
function tablesOfBands(processes: readonly Process[]): Omit<ProcessTables, "weight" | "cutoff"> {
  const all = processes.map(({ tables }) => tables), bands = all.length;
  const side = (of: (tables: ProcessTables) => Float64Array) => {
    const lists = all.map(of), rows = lists[0]!.length;
    const table = new Float64Array(rows * bands);
    lists.forEach((list, band) => list.forEach((value, t) => table[t * bands + band] = value));
    return table;
  };
  const output = (of: (tables: ProcessTables) => ProcessTables["toX0"]) => ({
    xt: side((tables) => of(tables).xt),
    output: side((tables) => of(tables).output),
  });
  const target = (of: (tables: ProcessTables) => ProcessTables["target"]) => ({
    x0: side((tables) => of(tables).x0),
    noise: side((tables) => of(tables).noise),
    xt: side((tables) => of(tables).xt),
  });
  return {
    target: target((tables) => tables.target),
    toX0: output((tables) => tables.toX0),
    toNoise: output((tables) => tables.toNoise),
    loss: all[0]!.loss && {
      prediction: output((tables) => tables.loss!.prediction),
      target: target((tables) => tables.loss!.target),
    },
    inputScale: null,
    noiseBranch: null,
    condition: null,
  };
}

/** The levels of all bands. */
function levelsOfBands(
  base: Schedule,
  name: ForwardProcessName,
  record: ForwardProcessRecord,
  settings: ForwardOptions,
  plane: Plane,
): BandLevels {
  const bands = bandsOf(plane, record.transform!);
  const spectrum = record.measures ? spectrumOf(bands, settings.spectrum, name) : null;
  const shares = record.on!(settings as never, { schedule: base, bands, spectrum });
  const schedule = shares.levels ? scheduleFromLevels(shares.levels) : base;
  const scale = Array.from(
    { length: base.timesteps },
    (_, row) => settings.calibrate ? calibration(bands, shares, row) : 1,
  );
  const at = (row: number, band: number): BandLevel => {
    const { signal, noise } = schedule.levels[row]!;
    const damping = shares.damping(row, band), colour = shares.colour(row, band) * scale[row]!;
    return {
      ...{ signal: signal * damping, noise: noise * colour },
      ...{ colour: shares.colour(row, band), whitening: damping / colour },
    };
  };
  const rows = Array.from({ length: base.timesteps }, (_, row) => row);
  const levels = Array.from(bands.radii, (_, band) => rows.map((row) => at(row, band)));
  return {
    ...{ bands, schedule, levels: withMeanColour(bands, levels), stiff: record.stiff ?? false },
    ...startOf(record, { schedule, levels, spectrum, mean: settings.mean, name }),
  };
}

/** Colours over the deviation of all frequencies together, timestep by timestep. */
function withMeanColour(bands: Bands, levels: BandLevels["levels"]): BandLevels["levels"] {
  const roots = levels[0]!.map((_, row) =>
    Math.sqrt(meanOverPoints(bands, (band) => levels[band]![row]!.colour ** 2))
  );
  return levels.map((own) =>
    own.map((level, row) => ({ ...level, colour: level.colour / roots[row]! }))
  );
}

/** What the noise of a timestep is multiplied by so that the mean log SNR over frequencies is ddpm's. */
function calibration(bands: Bands, shares: FrequencyShares, row: number): number {
  return Math.exp(
    meanOverPoints(bands, (band) => Math.log(shares.damping(row, band) / shares.colour(row, band))),
  );
}

/** What sampling starts from. */
function startOf(
  { endsInImages = false }: ForwardProcessRecord,
  { schedule, levels, spectrum, mean, name }: Pick<BandLevels, "schedule" | "levels"> & {
    readonly spectrum: Float64Array | null;
    readonly mean: readonly number[] | null;
    readonly name: string;
  },
): Pick<BandLevels, "start" | "startMean"> {
  const last = levels.map((own) => own.at(-1)!);
  if (endsInImages) {
    if (!mean) {
      throw new RangeError(
        `Cannot make process ${name}: the mean of the images must be measured on the training set, got none`,
      );
    }
    return {
      start: Float64Array.from(
        last,
        ({ signal, noise }, band) => Math.sqrt(signal ** 2 * spectrum![band]! + noise ** 2),
      ),
      startMean: mean,
    };
  }
  const { noise } = schedule.levels.at(-1)!, { start = 1 } = schedule;
  const deviation = (level: NoiseLevel) =>
    level.noise === noise ? start : start * level.noise / noise;
  return { start: Float64Array.from(last, deviation), startMean: null };
}

/** The spectrum of the images by band, from rings of width 1. */
function spectrumOf(
  bands: Bands,
  rings: readonly number[] | null,
  name: string,
): Float64Array {
  const { count } = unitRings(bands.height, bands.width);
  if (!rings) {
    throw new RangeError(
      `Cannot make process ${name}: the images' spectrum must be measured on the training set, got none`,
    );
  }
  if (rings.length !== count) {
    throw new RangeError(
      `Cannot make process ${name}: processOptions.spectrum must have ${count} powers for planes of ` +
        `${bands.height} by ${bands.width}, |k| = 0 to ${count - 1}, got ${rings.length}`,
    );
  }
  const powers = Float64Array.from(
    bands.radii,
    (radius) => rings[Math.min(Math.round(radius), count - 1)]!,
  );
  const mean = meanOverPoints(bands, (band) => powers[band]!);
  if (!(mean > 0)) {
    throw new RangeError(
      `Cannot make process ${name}: processOptions.spectrum must have some power, got none; the images ` +
        "are all alike",
    );
  }
  return powers.map((power) => Math.max(power, LEAST_POWER * mean));
}

/** The schedule of a band. */
function bandSchedule(
  levels: readonly BandLevel[],
  of: { readonly name: string; readonly radius: number },
): Schedule {
  const schedule = noisierByStep(levels, of);
  const own = schedule.levels.map((level, t): Level => {
    const { colour, whitening } = levels[t]!;
    return { ...level, colour, whitening };
  });
  return {
    ...schedule,
    levels: own,
    at(t) {
      if (Number.isInteger(t) && t >= 0 && own[t]) return own[t];
      const found = schedule.at(t);
      if (t < 0) return found;
      const share = t - Math.floor(t), low = levels[Math.floor(t)]!, high = levels[Math.ceil(t)]!;
      return {
        ...found,
        colour: low.colour + share * (high.colour - low.colour),
        whitening: low.whitening + share * (high.whitening - low.whitening),
      };
    },
    first: (rows) => bandSchedule(levels.slice(0, rows), of),
  };
}

function noisierByStep(
  levels: readonly NoiseLevel[],
  { name, radius }: { readonly name: string; readonly radius: number },
): Schedule {
  try {
    return scheduleFromLevels(levels);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(
      `Cannot make process ${name}: every frequency must get noisier from step to step, that of ` +
        `|k| = ${radius.toFixed(2)} does not (${error.message}); take other processOptions` +
        ", without calibrate",
    );
  }
}

/** Refuses targets that say nothing of frequencies without signal. */
function checkSignal(
  { bands, levels }: BandLevels,
  { target }: Pick<ProcessOptions, "target">,
  name: string,
): void {
  if (!PARAMETERIZATIONS[target].needsSignal) return;
  const band = levels.findIndex((own) => own.some(({ signal }) => signal < LEAST_SIGNAL));
  if (band < 0) return;
  throw new RangeError(
    `Cannot make process ${name}: target ${target} needs some signal at every level and frequency, but ` +
      `that of |k| = ${bands.radii[band]!.toFixed(2)} ends without; v, velocity and x0 need none`,
  );
}
