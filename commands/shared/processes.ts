/**
 * The processes that a command runs in: this one, or those that mpiexec has started together.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { endTogether, UsageError } from "../../support/errors.ts";
import { launchOf } from "../../support/launch.ts";
import { type Mpi, openMpi } from "../../support/mpi.ts";
import { ALONE, type Collective } from "../../training/collective.ts";
import { mpiCollective } from "../../training/mpi_collective.ts";

/** How processes work together. */
export type Distribution = "none" | "mpi";

/** The processes of a command, as one of them sees them. */
export interface Processes {
  readonly size: number;
  /** The ranks, whose gradients are on `gpu`. */
  collective(gpu: Gpu): Collective;
  /** Ends the work together; not after an error, which ends all processes. */
  close(): void;
}

/** Whether this process is the one that writes and speaks. */
export function isFirstProcess(): boolean {
  return (launchOf(Deno.env)?.rank ?? 0) === 0;
}

/** Prints a line, of the first process alone. */
export function sayFirst(line: string): void {
  if (isFirstProcess()) console.log(line);
}

/** How many processes the launcher has started. */
export function processCount(): number {
  return launchOf(Deno.env)?.size ?? 1;
}

/** Milliseconds that the first process has to say what went wrong, which the others would say too. */
const FIRST_SAYS_MS = 5000;

/**
 * Joins the other processes that the launcher has started; an error of one ends all from here on.
 *
 * @throws {Error} When MPI can't be used.
 */
export function joinProcesses(): Processes {
  const count = processCount();
  if (count === 1) return { size: 1, collective: () => ALONE, close: () => {} };
  const mpi = openMpi(Deno.env);
  checkCount(mpi, count);
  endTogether({
    before: () => {
      if (mpi.rank > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FIRST_SAYS_MS);
    },
    after: (code) => mpi.abort(code),
  });
  sayFirst(`processes ${count}, ${mpi.version}`);
  return {
    size: mpi.size,
    collective: (gpu) => mpiCollective(mpi, gpu),
    close: () => mpi.close(),
  };
}

/** A library of another launcher takes each process for one of its own. */
function checkCount({ size, version }: Mpi, count: number): void {
  if (size === count) return;
  throw new Error(
    `Cannot work together: ${version} must know the ${count} processes that were started, it knows ` +
      `${size}; start them with the mpiexec of the same MPI`,
  );
}

/**
 * Compares how processes were started with how they are to work.
 *
 * @param key What chooses the distribution, for messages.
 * @throws {UsageError} When there are several and they are not to work together.
 */
export function checkDistribution(
  { size }: Processes,
  distribution: Distribution,
  key: string,
): void {
  if (distribution === "none" && size > 1) {
    throw new UsageError(
      `Cannot work in ${size} processes: ${key} must be mpi where mpiexec starts several, got none`,
    );
  }
  if (distribution === "mpi" && size === 1) {
    console.log(`note: ${key} is mpi, but there is one process; mpiexec -n N starts more`);
  }
}
