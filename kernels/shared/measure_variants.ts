/**
 * Measures which variants are fastest on this adapter. A step is captured without being planned, which
 * lists its products and convolutions; then each that is not known yet is run by each of its variants on
 * scratch tensors of its sizes.
 *
 * @module
 */
import { isCpu } from "../../device/cpu_lanes.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { joinedAs, resolve, type Storage, type TensorRef } from "../../device/tensor.ts";
import { setVariantPolicy, type Variant, type VariantPolicy, variantPolicy } from "./variants.ts";

/** Names of the chosen variants by key. */
export type VariantTable = ReadonlyMap<string, string>;

/** Bounds of a tuning. */
export interface TuneOptions {
  /** Milliseconds after which no further op is begun. */
  readonly budgetMs: number;
  /** Ops that are known already. */
  readonly known?: VariantTable;
  /** Told what is measured. */
  readonly say?: (line: string) => void;
}

/** Samples of a variant that might be the fastest. */
const SAMPLES = 5;
/** A variant whose first run takes longer than the best by this factor is not run again. */
const HOPELESS = 2;
/** Kernels called plain are tried where the best takes less than this; they suit small ops only. */
const PLAIN_BELOW_MS = 0.5;
/** An op that takes a CPU driver less keeps its default: another pipeline costs more to compile. */
const SMALL_ON_CPU_MS = 0.3;
/** Milliseconds that a sample should last, and the most runs that it has. */
const SAMPLE_MS = 2, MOST_RUNS = 32;
/** Share by which another variant must beat the default: not for noise, nor for one more pipeline. */
const LEAST_GAIN = 0.1;

/** The ops that `record` chooses variants for, with the variants, the default first. */
export function collectOps(gpu: Gpu, record: () => void): Map<string, readonly Variant[]> {
  const ops = new Map<string, readonly Variant[]>();
  withPolicy(gpu, {
    observe: (key, variants, chosen) =>
      void ops.set(key, [chosen, ...variants.filter((variant) => variant !== chosen)]),
  }, record);
  return ops;
}

/** Runs `body` under another policy. */
function withPolicy<T>(gpu: Gpu, policy: VariantPolicy, body: () => T): T {
  const before = variantPolicy(gpu);
  setVariantPolicy(gpu, policy);
  try {
    return body();
  } finally {
    setVariantPolicy(gpu, before);
  }
}

/**
 * Measures ops one after the other, as many as the budget allows.
 *
 * @param ops Of {@linkcode collectOps}.
 * @returns What is known and what was measured.
 */
export async function tuneVariants(
  gpu: Gpu,
  ops: ReadonlyMap<string, readonly Variant[]>,
  { budgetMs, known = new Map(), say }: TuneOptions,
): Promise<Map<string, string>> {
  const table = new Map(known);
  const end = performance.now() + budgetMs;
  for (const [key, all] of ops) {
    const variants = all.filter(({ hopeless }) => !hopeless);
    const [first, second] = variants;
    if (table.has(key) || !first) continue;
    if (!second) {
      table.set(key, first.name);
      continue;
    }
    if (performance.now() >= end) break;
    const fastest = await fastestOf(gpu, variants);
    say?.(`${key}: ${fastest.name}`);
    table.set(key, fastest.name);
  }
  return table;
}

interface Trial {
  readonly variant: Variant;
  /** Runs it so many times and returns the milliseconds of one. */
  readonly run: (count: number) => Promise<number>;
  readonly destroy: () => void;
  /** Milliseconds of the best. */
  best: number;
}

async function fastestOf(gpu: Gpu, variants: readonly Variant[]): Promise<Variant> {
  const trials: Trial[] = [];
  try {
    for (const variant of variants) {
      if (isCpu(gpu) && trials[0] && trials[0].best < SMALL_ON_CPU_MS) break;
      const best = Math.min(...trials.map((trial) => trial.best));
      if (variant.name === "plain" && best > PLAIN_BELOW_MS) continue;
      const trial = await startTrial(gpu, variant);
      trials.push(trial);
      await trial.run(1);
      trial.best = await trial.run(1);
    }
    const best = Math.min(...trials.map((trial) => trial.best));
    const hopeful = trials.filter((trial) => trial.best <= HOPELESS * best);
    if (hopeful.length === 1) return hopeful[0]!.variant;
    const runs = Math.max(1, Math.min(MOST_RUNS, Math.round(SAMPLE_MS / best)));
    // A single run also measures the way there and back.
    if (runs > 1) { for (const trial of hopeful) trial.best = Infinity; }
    for (let i = 0; i < SAMPLES; i++) {
      for (const trial of hopeful) trial.best = Math.min(trial.best, await trial.run(runs));
    }
    const [first] = trials;
    const fastest = hopeful.reduce((a, b) => b.best < a.best ? b : a);
    return first!.best * (1 - LEAST_GAIN) <= fastest.best ? first!.variant : fastest.variant;
  } finally {
    for (const trial of trials) trial.destroy();
  }
}

/** Plans a variant over scratch tensors. */
async function startTrial(gpu: Gpu, variant: Variant): Promise<Trial> {
  const recorded = new Capture(gpu, `tuning ${variant.name}`);
  variant.record(recorded);
  const capture = new Capture(gpu, recorded.name);
  const scratch: TensorRef[] = [];
  const replacements = new Map<string, TensorRef>();
  const storages: Storage[] = [];
  const written = new Set<Storage>();
  const replace = (tensor: TensorRef): TensorRef => {
    const { storage, byteOffset } = resolve(tensor);
    if (written.has(storage)) return tensor;
    // What is bound, not all of its storage: weights are parts of an arena.
    if (!storages.includes(storage)) storages.push(storage);
    const key = [storages.indexOf(storage), byteOffset, ...tensor.shape].join();
    let replacement = replacements.get(key);
    if (!replacement) {
      const { shape, label, dtype, seam } = tensor;
      const constant = recorded.constants.find((other) => other.tensor.storage === storage);
      const data = constant ? { data: constant.values } : {};
      const made = gpu.tensor(shape, { label, dtype, ...data });
      scratch.push(made);
      replacement = joinedAs(made, seam);
      replacements.set(key, replacement);
    }
    return replacement;
  };
  const replayed = recorded.dispatches.map((dispatch) => {
    // What the variant writes first is its own; everything else belongs to the step.
    for (const { tensor, access } of dispatch.bindings) {
      const { storage } = resolve(tensor);
      if (access === "write" && storage.kind === "transient") written.add(storage);
    }
    const bindings = dispatch.bindings.map(({ tensor, ...rest }) => ({
      ...rest,
      tensor: replace(tensor),
    }));
    return { ...dispatch, bindings };
  });
  capture.rewrite(replayed);
  const program = await capture.plan();
  return {
    variant,
    best: Infinity,
    async run(count) {
      await gpu.finish();
      const start = performance.now();
      for (let i = 0; i < count; i++) program.run();
      await gpu.finish();
      return (performance.now() - start) / count;
    },
    destroy() {
      program.destroy();
      for (const tensor of scratch) gpu.destroyTensor(tensor);
    },
  };
}
