/**
 * What a model's card says of it: from its checkpoint, and from its run's log.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Config } from "../../config/schema.ts";
import { type LogLine, readLog } from "../../run_log/log_lines.ts";
import { ifThere } from "../../support/absence.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { runFolder } from "../../training/run_folder.ts";

/** What a checkpoint says of a model. */
export interface ModelFacts {
  /** Completed steps. */
  readonly step: number;
  readonly parameters: number;
  /** The data set's name. */
  readonly data: string;
  readonly size: { readonly height: number; readonly width: number; readonly channels: number };
}

/** Evaluations that a log may have, and what they are called. */
const SCORES: Readonly<Record<string, string>> = {
  ...{ fid: "FID", is: "Inception score", kid: "KID", spectrum: "Frechet distance of spectra" },
  ...{ precision: "Precision", recall: "Recall" },
};

/** Rows of a table: the network, its data and how it was trained. */
export function factRows(
  { step, parameters, size, data }: ModelFacts,
  { model, diffusion, optim, train, run }: Config,
): [string, string][] {
  const { height, width, channels } = size;
  const images = (step * train.batchSize).toLocaleString("en");
  return [
    ["Network", `${model.name}, ${parameters.toLocaleString("en")} parameters`],
    ["Data", `${data}, ${height}x${width}, ${channels === 1 ? "grey" : "RGB"}`],
    [
      "Training",
      `${
        step.toLocaleString("en")
      } steps of ${train.batchSize} images (${images} in all), seed ${run.seed}`,
    ],
    [
      "Diffusion",
      `process ${diffusion.process}, schedule ${diffusion.schedule}, ${diffusion.timesteps} timesteps, ` +
      `target ${diffusion.target}, weighting ${diffusion.weighting}`,
    ],
    ["Optimiser", `${optim.name}, learning rate ${optim.lr}, ${optim.decay}`],
    ["Sampler", `${diffusion.sampler.name}, ${diffusion.sampler.steps ?? "all"} steps`],
  ];
}

/** What was measured of a model. */
export interface Score {
  /** As the log names it. */
  readonly key: string;
  /** As a person does. */
  readonly name: string;
  readonly value: number;
  /** Completed steps at that time. */
  readonly step: number;
}

/** The last of every evaluation that a log has. */
export function lastScores(lines: readonly LogLine[]): Score[] {
  return lastOf(lines, SCORES);
}

function lastOf(lines: readonly LogLine[], names: Readonly<Record<string, string>>): Score[] {
  return Object.entries(names).flatMap(([key, name]) => {
    const line = lines.findLast((line) => Number.isFinite(line[key]));
    return line ? [{ key, name, value: line[key] as number, step: line.step }] : [];
  });
}

/** Rows of a table: the last of everything that the log has measured. */
export function scoreRows(lines: readonly LogLine[]): [string, string][] {
  const names = { loss: "Training loss", valLoss: "Validation loss", ...SCORES };
  const rows = lastOf(lines, names).map(({ name, value, step }): [string, string] => [
    name,
    `${number(value)} (step ${step})`,
  ]);
  return [...rows, ...bandRow(lines)];
}

/** The loss in the noise by band of the newest line that has one. */
function bandRow(lines: readonly LogLine[]): [string, string][] {
  const event = lines.findLast(({ event }) => event === "bandLoss") as
    | { readonly bands: readonly number[]; readonly epsilon: readonly (number | null)[][] }
    | undefined;
  if (!event) return [];
  const means = event.bands.map((low, band) => {
    const values = event.epsilon.flatMap((row) => row[band] ?? []);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `${number(mean)} from ${low}`;
  });
  return [["Loss in the noise by \\|k\\|, cycles a side", means.join(", ")]];
}

const number = (value: number) => String(Number(value.toPrecision(4)));

/** The log of a checkpoint's run up to its step; empty where it lies in no run. */
export async function logUpTo({ path, step }: Checkpoint): Promise<LogLine[]> {
  const { log } = runFolder(dirname(dirname(path)));
  const text = await ifThere(() => Deno.readTextFile(log));
  return text === null ? [] : readLog(text).lines.filter((line) => line.step <= step);
}
