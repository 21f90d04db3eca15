/**
 * What is said when a run ends with an error: what happened, what is saved, and what to do.
 *
 * @module
 */
import { MissingPlaceError } from "../data/fetching/locate_files.ts";
import { UsageError } from "../support/errors.ts";
import {
  type Checkpoint,
  listCheckpoints,
  newestCheckpoint,
  NoCheckpointError,
} from "./checkpoint.ts";
import { diagnose } from "./diagnose.ts";
import { NonFiniteError } from "./non_finite.ts";
import { runFolder } from "./run_folder.ts";
import type { Trainer } from "./trainer.ts";

/** An error that says all that there is to say. */
class RunError extends Error {}

/**
 * The error with a word on what is saved. Wrong use and errors that know it themselves are left as
 * they are; data that have gone since the run was begun are no wrong use.
 */
export async function withSavedState(error: unknown, dir: string): Promise<unknown> {
  const isWrongUse = error instanceof UsageError && !(error instanceof MissingPlaceError);
  if (isWrongUse || error instanceof NonFiniteError) return error;
  const message = error instanceof Error ? error.message || error.name : String(error);
  if (error instanceof NoCheckpointError) {
    return new RunError(
      `${message}; put a whole one back, or start another run by --run.dir=FOLDER`,
      { cause: error },
    );
  }
  let newest: { step: number; path: string } | undefined;
  try {
    [newest] = await listCheckpoints(runFolder(dir).checkpoints);
  } catch {
    // Then the error at hand tells of the folder.
  }
  if (!newest) return error;
  return new RunError(
    `${message}; the run is saved up to step ${newest.step} in ${newest.path}, go on by --resume`,
    { cause: error },
  );
}

/** What {@linkcode explainNonFinite} works with. */
export interface Failure {
  readonly trainer: Trainer;
  /** The run's folder. */
  readonly dir: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * The error with the tensor that went bad first, the last good checkpoint and what may help. Takes the
 * steps since that checkpoint again; the trainer is of no use afterwards.
 */
export async function explainNonFinite(
  error: NonFiniteError,
  { trainer, dir, say, signal }: Failure,
): Promise<NonFiniteError> {
  const saved = await lastGood(error, dir);
  const restart = async () => {
    trainer.state.clear();
    if (saved) await trainer.state.load(saved);
    else trainer.state.initialize(trainer.config.run.seed);
  };
  const from = saved?.step ?? 0;
  say(`${error.message}; taking the steps from ${from} again to see where it began`);
  await restart();
  const cause = await diagnose(trainer, error, { from, restart, signal });
  const kept = saved
    ? `the last good checkpoint is ${saved.path}`
    : "nothing was saved since the start";
  return new NonFiniteError(
    error.kind,
    error.step,
    `${error.message}; ${cause}; ${kept}; a smaller optim.lr or a longer optim.warmupSteps may help`,
  );
}

/** The newest checkpoint from before the step that failed, or null. */
async function lastGood({ step, kind }: NonFiniteError, dir: string): Promise<Checkpoint | null> {
  const last = kind === "state" ? step - 1 : step;
  try {
    return await newestCheckpoint(runFolder(dir).checkpoints, () => {}, (checkpoint) => {
      if (checkpoint.step > last) throw new RangeError("it must be from before");
    });
  } catch {
    return null;
  }
}
