/**
 * Averages of the weights with power-function profiles, kept while training so that averages of any
 * width can be put together afterwards (`deno task ema`); optim/power_ema.ts has the mathematics.
 *
 * @module
 */
import { join } from "node:path";
import type { Arena } from "../device/arena.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { InputValues } from "../device/program.ts";
import { emaScalars, emaStep } from "../kernels/optim/ema.ts";
import type { Module } from "../model/module.ts";
import { createArena } from "../model/parameters.ts";
import { powerDecayOf } from "../optim/power_ema.ts";
import { type CheckpointTensor, stepName } from "./checkpoint.ts";

/** An average and the width of its profile. */
export interface PowerAverage {
  readonly width: number;
  readonly arena: Arena;
}

/** Averages of zeros. */
export function createPowerAverages(
  gpu: Gpu,
  network: Module,
  widths: readonly number[],
): PowerAverage[] {
  return widths.map((width) => ({
    width,
    arena: createArena(gpu, `averaged weights of width ${width}`, network),
  }));
}

const inputName = (width: number) => `average ${width}`;

/** Moves the averages towards the weights. */
export function recordPowerAverages(
  capture: Capture,
  averages: readonly PowerAverage[],
  weights: Arena,
): void {
  for (const { width, arena } of averages) {
    const scalars = capture.input(inputName(width), [2]);
    arena.chunks.forEach((chunk, i) => emaStep(capture, chunk, weights.chunks[i]!, scalars));
  }
}

/**
 * What {@linkcode recordPowerAverages} reads in a step.
 *
 * @param step completed steps before this one
 */
export function powerAverageInputs(averages: readonly PowerAverage[], step: number): InputValues {
  return Object.fromEntries(
    averages.map(({ width }) => [inputName(width), emaScalars(powerDecayOf(width, step + 1, 1))]),
  );
}

/** What comes before a parameter's name in a checkpoint. */
export const averagePrefix = (width: number) => `average/${width}/`;

/** File of an average after so many steps. */
export function averagePath(folder: string, step: number, width: number): string {
  return join(folder, `${stepName(step)}-width-${width}.safetensors`);
}

/** An average that is stored in a run's folder. */
export interface StoredAverage {
  readonly step: number;
  readonly width: number;
  readonly path: string;
}

/** The averages in a folder, by step and width; none where there is no folder. */
export async function storedAverages(folder: string): Promise<StoredAverage[]> {
  const found: StoredAverage[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const [, step, width] = /^step-(\d{6,})-width-([\d.]+)\.safetensors$/.exec(name) ?? [];
      if (!step || !width) continue;
      found.push({ step: Number(step), width: Number(width), path: join(folder, name) });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort((a, b) => a.step - b.step || a.width - b.width);
}

/** Tensors of one average as a file has them: under the names of averaged weights. */
export function averageTensors(
  tensors: readonly CheckpointTensor[],
  width: number,
  prefix: string,
): CheckpointTensor[] {
  const own = averagePrefix(width);
  return tensors.filter(({ name }) => name.startsWith(own)).map((tensor) => ({
    ...tensor,
    name: prefix + tensor.name.slice(own.length),
  }));
}
