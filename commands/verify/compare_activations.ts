/**
 * Compares what layers gave in a pass with what is recorded of their modules.
 *
 * @module
 */
import type { Program } from "../../device/program.ts";
import { sizeOf } from "../../device/tensor.ts";
import { type CaseName, type CaseResult, Comparison, type GoldenFile } from "./golden.ts";
import { channelsLast, toTorch } from "./layout.ts";
import type { Activation, LayerHabits, Watch } from "./recorded_activations.ts";
import { budgetOfError, type PassResults } from "./recorded_passes.ts";

/** What stands for each recorded activation that is not among the outputs. */
export function activationsOf(
  { activations = {} }: PassResults,
  watch: Watch,
  outputs: Readonly<Record<string, unknown>>,
): Map<string, Activation | undefined> {
  return new Map(
    Object.keys(activations).filter((name) => !(`act/${name}` in outputs))
      .map((name) => [name, watch.find(name)]),
  );
}

/** Compares them once the program has run; what nothing stands for is named. */
export async function compareActivations(
  golden: GoldenFile,
  program: Program,
  { prefix, name, layers }: {
    readonly prefix: string;
    readonly name: CaseName;
    readonly layers?: LayerHabits;
  },
  { activations }: PassResults,
  found: ReadonlyMap<string, Activation | undefined>,
): Promise<CaseResult> {
  const comparison = new Comparison(name.case, name.family, name.op);
  const apart: string[] = [];
  for (const [recorded, ours] of found) {
    const key = `${prefix}act/${recorded}`, told = activations![recorded]!;
    const { shape = [] } = told as { shape?: readonly number[] };
    if (!ours || sizeOf(shape) !== sizeOf(ours.tensor.shape)) {
      apart.push(recorded);
      continue;
    }
    const values = await program.readF32(ours.tensor.ref);
    const tokens = layers?.tokens && shape.length === 3;
    const whole = toTorch(values, shape, tokens ? null : channelsLast(shape.length));
    const { data } = golden.get(key);
    const actual = sampled(whole, data.length);
    comparison.check(key, actual, Array.from(data, ours.of), budgetOfError(told));
  }
  return { ...comparison.result(), ...apart.length > 0 ? { apart } : {} };
}

/** `count` values spread evenly over a tensor. */
export function sampled(values: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: count }, (_, j) => values[Math.floor(j * values.length / count)]!);
}
