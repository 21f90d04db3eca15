/**
 * Observers: whatever looks at a run from time to time without changing it. Previews and validation
 * losses are observers, and so are the spectral instruments of metrics/.
 *
 * @module
 */
import type { Graph } from "../autograd/graph.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { ObjectiveTensors } from "../diffusion/objective.ts";
import type { BatchTensors } from "./batch_source.ts";
import type { LogEvent } from "./log.ts";

/** What a captured training step shows to observers. */
export interface StepTensors extends ObjectiveTensors, BatchTensors {
  /** The step's graph, to record further dispatches on. */
  readonly graph: Graph;
}

/** What a look gives to the log: known fields, and an observer's own. */
export type Observation = Omit<LogEvent, "step"> & { readonly [field: string]: unknown };

/** A look at a run. */
export interface Observer {
  /** Completed steps between two looks; 0 switches it off. */
  readonly everySteps: number;
  /** Whether there is one more look after the run's last step. */
  readonly atEnd: boolean;
  /** Whether it looks after so many steps, 0 for before the first, too; not unless given. */
  also?(step: number): boolean;
  /**
   * What it has gathered on the GPU and not yet read, f32 tensors by name: a checkpoint holds them,
   * so that a resumed run writes the lines of one that never stopped.
   */
  readonly state?: ReadonlyMap<string, TensorRef>;
  /**
   * What several processes have gathered in a tensor of `state`, as one; without it, their sum.
   *
   * @param parts Of the processes, in their order.
   */
  merge?(parts: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer>;
  /** Whether all processes of a run look, each at its share; unless given the first looks alone. */
  readonly shared?: boolean;
  /** Records what it needs of each step, once, while the step is captured. */
  capture?(tensors: StepTensors): void;
  /** Gets the images of each preview, `[n, h, w, c]` in [-1, 1], before the look of that step. */
  preview?(images: Float32Array<ArrayBuffer>): void;
  /**
   * Looks, after `step` completed steps.
   *
   * @param overdue Aborted when a run that was asked to stop waits for no look any longer; a look that
   *   takes long throws its reason then.
   * @returns What to write to the log, if anything.
   */
  read(step: number, overdue?: AbortSignal): Promise<Observation | null>;
  /** Frees its memory, if it has any. */
  destroy?(): void;
}

/** Whether something that happens every `every` steps (0 = never) is due after `step` of them. */
export function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}
