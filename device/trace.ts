/**
 * A step walked through dispatch by dispatch, so that every tensor can be looked at right before and
 * right after it is written: in a plain replay most of them are overwritten before anyone could.
 *
 * @module
 */
import type { Access } from "./kernel.ts";
import type { HostArray, TensorRef } from "./tensor.ts";

/** A tensor of a dispatch. */
export interface TracedBinding {
  /** Name in the kernel. */
  readonly name: string;
  /** What the kernel does with it. */
  readonly access: Access;
  /** What is bound. */
  readonly tensor: TensorRef;
  /** Its values at this moment. */
  read(): Promise<HostArray>;
}

/** A dispatch that has not run until it is told to. */
export interface TracedDispatch {
  /** Number in the replay, from 0. */
  readonly index: number;
  /** Name of the kernel. */
  readonly kernel: string;
  /** What it reads and writes. */
  readonly bindings: readonly TracedBinding[];
  /** Runs it alone; each must run once, in order. */
  run(): void;
}
