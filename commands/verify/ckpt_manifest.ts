/**
 * What is recorded of checkpoints: tensors by their sums and ends, and steps of training.
 *
 * @module
 */
import type { Comparison } from "./golden.ts";

/** What is recorded of a tensor. */
export interface RecordedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Every element, of small tensors. */
  readonly values?: readonly number[];
  readonly sum?: number;
  readonly sumabs?: number;
  readonly first?: number;
  readonly last?: number;
}

/** What is recorded of a tensor's moments. */
interface RecordedMoments {
  readonly step: number;
  readonly exp_avg: RecordedTensor;
  readonly exp_avg_sq: RecordedTensor;
}

/** One more step of training from the checkpoint. */
export interface RecordedStep {
  readonly lr_used: number;
  readonly loss: number;
  readonly grad_norm: number;
  readonly net_after: Readonly<Record<string, RecordedTensor>>;
  readonly ema_after: Readonly<Record<string, RecordedTensor>>;
}

/** ckpt.json. The whole checkpoint is left out of small sets. */
export interface CkptManifest {
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly layout?: {
    readonly keys: readonly string[];
    readonly step: number;
    readonly sched: Readonly<Record<string, unknown>>;
    readonly optim_param_groups: readonly Readonly<Record<string, unknown>>[];
    readonly optim_state_keys: readonly number[];
    readonly param_index_to_name: readonly string[];
  };
  readonly net_model?: Readonly<Record<string, RecordedTensor>>;
  readonly ema_model?: Readonly<Record<string, RecordedTensor>>;
  readonly optim?: Readonly<Record<string, RecordedMoments>>;
  readonly x_T?: RecordedTensor;
  readonly "dtypes.pt"?: Readonly<Record<string, RecordedTensor | { readonly python: unknown }>>;
  readonly resume?: { readonly file: string; readonly steps: readonly RecordedStep[] };
}

/** Holds sums to one budget, the first and the last element to another. */
export function checkSums(
  comparison: Comparison,
  name: string,
  values: ArrayLike<number>,
  recorded: RecordedTensor,
  sumBudget: number,
  elementBudget: number,
): void {
  let sum = 0, sumabs = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i]!;
    sumabs += Math.abs(values[i]!);
  }
  const ends = [values[0]!, values[values.length - 1]!];
  comparison.check(`${name} ends`, ends, [recorded.first!, recorded.last!], elementBudget);
  comparison.check(`${name} sums`, [sum, sumabs], [recorded.sum!, recorded.sumabs!], sumBudget);
}
