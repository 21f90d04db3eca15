/**
 * What a benchmark is: something that is checked first and then run many times.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";

/** Names of the adapter's own limits, which cases are held against. */
export type Ceiling = "multiply_add" | "copy_vec4";

/** Choices of a run of the benchmarks. */
export interface BenchOptions {
  /** Images of a batch of the CIFAR-10 network. */
  readonly batch: number;
}

/** A case, not yet prepared. */
export interface BenchCase {
  /** Name in tables and files; peers use the same for the same work. */
  readonly name: string;
  /** One line that says what is computed. */
  readonly summary: string;
  /** `GFLOP/s` and `GB/s` are rates of the work, `s/step`, `ms` and `us` times of a call. */
  readonly unit: "GFLOP/s" | "GB/s" | "s/step" | "ms" | "us";
  /** The limit that the rate of the work is a share of; none unless given. */
  readonly ceiling?: Ceiling;
  /** The limit that this case measures; where several do, the fastest counts. */
  readonly measures?: Ceiling;
  /** Makes the inputs. */
  open(gpu: Gpu, options: BenchOptions): BenchRun | Promise<BenchRun>;
}

/** A case with its inputs. */
export interface BenchRun {
  /** Floating-point operations, or bytes read and written, of a call; asked for after `start`. */
  readonly work?: number;
  /**
   * Bytes that the dispatches of a call read and write, each tensor once a dispatch; asked for after
   * `start`.
   */
  moved?(): number;
  /** Equal parts of a call that a time is divided by; 1 unless given. */
  readonly parts?: number;
  /** Makes pipelines and everything else that is made once. */
  start(): Promise<void>;
  /** Submits a call. */
  run(): void | Promise<void>;
  /** Dispatches of a call, where it is a whole step; asked for after `start`. */
  dispatches?(): number | Promise<number>;
  /** Bytes of everything that a call needs; asked for after `start`. */
  memory?(): number;
  /** Throws unless the results are right; called once, after the first call. */
  validate(): Promise<void>;
  /** Frees everything. */
  destroy(): void;
}
