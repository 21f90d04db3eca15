/**
 * Cases that are one captured program over given tensors.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { BenchRun } from "./bench_case.ts";

/** Reads a result of the last call. */
export type ReadResult = (name: string) => Promise<Float32Array<ArrayBuffer>>;

/** A program to be measured. */
export interface ProgramBench {
  /** See {@linkcode BenchRun}. */
  readonly work?: number;
  /** See {@linkcode BenchRun}. */
  readonly parts?: number;
  /** Persistent tensors, freed with the case. */
  readonly inputs: readonly TensorRef[];
  /** Records the program and returns what `validate` wants to read. */
  record(capture: Capture): Readonly<Record<string, TensorRef>>;
  /** See {@linkcode BenchRun}. */
  validate(read: ReadResult): Promise<void>;
}

/** The run of a program. */
export function programRun(gpu: Gpu, bench: ProgramBench): BenchRun {
  const { work, parts, inputs } = bench;
  let program: Program | undefined;
  let moved = 0;
  let results: Readonly<Record<string, TensorRef>> = {};
  const started = () => {
    if (!program) throw new TypeError("Cannot run a case: it must be started first");
    return program;
  };
  const read = async (name: string) => {
    const tensor = results[name];
    if (!tensor) throw new RangeError(`Cannot read ${name}: the case has no such result`);
    return await started().readF32(tensor);
  };
  return {
    ...(work === undefined ? {} : { work }),
    ...(parts === undefined ? {} : { parts }),
    async start() {
      const capture = new Capture(gpu, "benchmark");
      results = bench.record(capture);
      for (const tensor of Object.values(results)) capture.keep(tensor);
      program = await capture.plan();
      moved = capture.work.bytes;
    },
    run: () => started().run(),
    moved: () => moved,
    validate: () => bench.validate(read),
    destroy() {
      program?.destroy();
      for (const tensor of inputs) gpu.destroyTensor(tensor);
    },
  };
}
