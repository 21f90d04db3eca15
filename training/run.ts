/**
 * A run from its data to its last checkpoint.
 *
 * @module
 */
import { join } from "node:path";
import { type ImageSet, saidOnce } from "../data/dataset.ts";
import { loadFirst, openImages } from "../data/registry.ts";
import type { Gpu } from "../device/gpu.ts";
import { usesTMax } from "../diffusion/options.ts";
import type { Process } from "../diffusion/process.ts";
import { atomicWrite, checkWritable, writesEnd } from "../support/files.ts";
import {
  type Checkpoint,
  checkpointBytes,
  newestCheckpoint,
  stepName,
  writeCheckpoint,
} from "./checkpoint.ts";
import { explainNonFinite, withSavedState } from "./faults.ts";
import { BackgroundWork } from "./background_save.ts";
import { withRemedy } from "./fit.ts";
import { LatentSpace } from "./latent_space.ts";
import { Log, type LogMirror } from "./log.ts";
import {
  type LoopDisplay,
  type LoopOptions,
  type LoopResult,
  runLoop,
  settleCheckpoint,
} from "./loop.ts";
import { ALONE, type Collective, inTurn } from "./collective.ts";
import { networkAt, networkOf } from "./network_of.ts";
import { networkShape } from "./network_shape.ts";
import { NonFiniteError } from "./non_finite.ts";
import type { Observer } from "./observer.ts";
import { type Origin, originRecord, type TakenOver, takeOver } from "./origin.ts";
import { createPreview } from "./preview.ts";
import {
  describeGpu,
  describeImages,
  describeMemory,
  describeNetwork,
  formatBytes,
  formatCount,
} from "./run_summary.ts";
import type { RunConfig } from "./run_config.ts";
import { checkPrecision } from "./precision.ts";
import { checkImages, imageNotes } from "./same_images.ts";
import { checkWeights, keepStateOnce } from "./shared_state.ts";
import { prepareRunFolder, type RunFolder, runFolder } from "./run_folder.ts";
import { RunLock } from "./run_lock.ts";
import { type FreeSpace, planSpace, systemFreeSpace } from "./disk_space.ts";
import { Trainer } from "./trainer.ts";
import { createValidation } from "./validation.ts";

export { networkOf };

/** What a run needs besides its config. */
export interface RunContext {
  readonly gpu: Gpu;
  /** The run's folder. */
  readonly dir: string;
  /** Text of the folder's config.json. */
  readonly configText: string;
  /** Text of the config in checkpoints: without paths, so that equal runs have equal checkpoints. */
  readonly checkpointConfig: string;
  /** Whether to go on from the folder's newest checkpoint, if it has one. */
  readonly resume: boolean;
  /** The weights that it begins with otherwise; fresh ones unless given. */
  readonly origin?: Origin | undefined;
  /**
   * Looks at the config of the checkpoint that the run goes on from; throws to refuse it. Returns a
   * line for a person, or null.
   */
  readonly acceptConfig?: (config: string, step: number) => string | null;
  /** Bytes that the run may take; unlimited unless given. */
  readonly memory?: number;
  /** Tells how much room a folder has; the system unless given. */
  readonly freeSpace?: FreeSpace;
  /** Receives lines for a person. */
  readonly say: (line: string) => void;
  /** Starts the display of progress, once training begins. */
  readonly display: (start: number, steps: number) => LoopDisplay;
  /** Aborted when the run should end after the step at hand. */
  readonly signal: AbortSignal;
  /** The processes that train together; this one alone unless given. */
  readonly collective?: Collective;
  /** The config's diffusion process, where it is made already. */
  readonly process?: Process;
  /** More observers; they stay the caller's to free. */
  readonly observers?: readonly Observer[];
  /** Makes observers that look at the trainer itself, and not at its steps; the run frees them. */
  readonly observe?: (trainer: Trainer) => Promise<readonly Observer[]>;
  /** Opens what else gets the lines of the log, of a run that goes on after so many steps. */
  readonly mirror?: (start: number) => LogMirror | null;
}

/** How a run ended. */
export interface RunResult extends LoopResult {
  /** The newest preview of this run, if there is one. */
  readonly picture: string | null;
}

/** The images of a config: the training set, and those held out if it wants any. */
export async function imagesOf(
  { data, train }: RunConfig,
  say: (line: string) => void,
): Promise<{ images: ImageSet; heldOut: ImageSet | null }> {
  const once = saidOnce(say);
  const images = await openImages(data, "train", once);
  checkBatch(images, train);
  if (train.evalEvery === 0) return { images, heldOut: null };
  return { images, heldOut: await loadFirst(data, "test", data.holdout, once) };
}

/** @throws {RangeError} When a batch has more images than there are. */
export function checkBatch(
  { count, name }: Pick<ImageSet, "count" | "name">,
  { batchSize }: Pick<RunConfig["train"], "batchSize">,
): void {
  if (batchSize <= count) return;
  throw new RangeError(
    `Cannot train: train.batchSize must be at most the ${count} images of ${name}, got ${batchSize}`,
  );
}

/**
 * Trains, or goes on training, and writes everything to the run's folder.
 *
 * @throws {NonFiniteError} When a loss is not finite; it names the tensor that went bad first.
 * @throws {Error} When data are missing, no checkpoint can be used, a file can't be written or the
 *   device fails; the message says what is saved.
 */
export async function trainRun(config: RunConfig, context: RunContext): Promise<RunResult> {
  const saving = new BackgroundWork();
  const lock = new RunLock(context.dir);
  try {
    const training = { ...context, saving, lock };
    return await context.gpu.health.guard(() => prepareAndTrain(config, training));
  } catch (error) {
    // That is the error to tell; what was being written when it came is completed first.
    await saving.end().catch(() => {});
    await writesEnd();
    throw await withSavedState(error, context.dir);
  } finally {
    await lock.release();
  }
}

/** What a run needs, where its checkpoints are written, and what keeps its folder to it. */
type Training = RunContext & Pick<LoopOptions, "saving"> & { readonly lock: RunLock };

async function prepareAndTrain(config: RunConfig, context: Training): Promise<RunResult> {
  const { gpu, dir, say, collective = ALONE } = context;
  if (collective.rank === 0) {
    await checkRunFolder(dir);
    await context.lock.take();
  }
  checkPrecision(gpu, config.train.precision, "--train.precision=f32");
  const network = networkOf(config);
  const taken = context.origin && takeOver(context.origin, network);
  // What one has downloaded or decoded the others find.
  const { images: pixels, heldOut: heldOutPixels } = await inTurn(
    collective,
    () => imagesOf(config, say),
  );
  const latent = await LatentSpace.open(gpu, config.model.latent, pixels);
  const encoded = async (set: ImageSet, mirrored: boolean) =>
    await latent?.encode(set, { mirrored, say }) ?? set;
  const images = await encoded(pixels, config.data.flip);
  const heldOut = heldOutPixels && await encoded(heldOutPixels, false);
  say(`adapter   ${describeGpu(gpu)}`);
  say(`data      ${describeImages(images)}`);
  say(`network   ${config.model.name}, ${describeNetwork(network, networkShape(config))}`);
  const trainer = await withRemedy(
    { gpu, config, network },
    () =>
      Trainer.create(
        ...[gpu, config, network, images, context.observers, context.process, collective] as const,
        (size) => networkAt(config, size),
      ),
  );
  trainer.latent = latent;
  try {
    const begun = await begin(trainer, context, taken);
    // All have read the folder before one writes to it.
    await checkWeights(trainer, begun.start);
    keepStateOnce(trainer, context.observers ?? []);
    if (begun.checkpoint && begun.start >= config.train.steps) {
      return await finished(config, context, begun.checkpoint);
    }
    tell(trainer, begun.start, say);
    return await train(trainer, heldOut, begun, context);
  } finally {
    trainer.destroy();
    latent?.destroy();
  }
}

/** Refuses a folder that can't be written to before anything else is done. */
async function checkRunFolder(dir: string): Promise<void> {
  try {
    await checkWritable(dir);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${message}; set run.dir to a folder that can be written to`, { cause: error });
  }
}

/** A run that had been done: only what a kill right after its end may have left undone is done. */
async function finished(
  { train: { steps, keep } }: RunConfig,
  { dir, say, collective = ALONE }: RunContext,
  { step, path }: Checkpoint,
): Promise<RunResult> {
  const result = { step, finished: true, checkpoint: path, picture: null };
  if (collective.rank > 0) return result;
  say(`The run in ${dir} is finished: it has all of its ${steps} steps`);
  const folder = runFolder(dir);
  const log = await Log.open(folder.log, step);
  try {
    await settleCheckpoint(log, folder, step, keep);
  } finally {
    log.close();
  }
  return result;
}

async function train(
  trainer: Trainer,
  heldOut: ImageSet | null,
  begun: Beginning,
  context: Training,
): Promise<RunResult> {
  const { start, lossesKept } = begun;
  const { dir, say, signal, freeSpace = systemFreeSpace } = context;
  const first = trainer.collective.rank === 0;
  const folder = first ? await prepareRunFolder(dir) : runFolder(dir);
  if (first) {
    await context.lock.take(); // a new folder's
    await checkPlannedSpace(trainer, folder, context);
    if (originOf(context, begun)) await keepOrigin(trainer, folder, context);
    await atomicWrite(folder.config, context.configText);
  }
  const onlookers = await context.observe?.(trainer) ?? [];
  const others = [...(context.observers ?? []), ...onlookers];
  const preview = await createPreview(trainer, folder, others, memoryLeft(trainer, context));
  const validation = heldOut && await createValidation(trainer, heldOut);
  const observers = [validation, preview, ...others];
  try {
    const result = await runLoop({
      ...{ trainer, folder, start, lossesKept, freeSpace, saving: context.saving },
      signal: trainer.collective.agree(signal),
      configText: context.checkpointConfig,
      observers: observers.filter((observer) => observer !== null),
      mirror: first ? context.mirror?.(start) ?? null : null,
      display: context.display(start, trainer.config.train.steps),
    });
    return { ...result, picture: preview?.newest ?? null };
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    throw await explainNonFinite(error, { trainer, dir, say, signal });
  } finally {
    for (const observer of [preview, validation, ...onlookers]) observer?.destroy?.();
  }
}

/** Bytes that previews may take besides the step. */
function memoryLeft({ state, memory }: Trainer, { memory: all = Infinity }: RunContext): number {
  return all - state.byteLength - memory.peakBytes;
}

/** Says, or refuses, when the disk has not the room that the run's checkpoints need. */
async function checkPlannedSpace(
  { state, config, images, network }: Trainer,
  { checkpoints }: RunFolder,
  { checkpointConfig, freeSpace = systemFreeSpace, say }: RunContext,
): Promise<void> {
  const { steps, keep } = config.train;
  const notes = imageNotes(images, network);
  const facts = { step: steps, config: checkpointConfig, notes };
  const bytes = checkpointBytes(facts, state.checkpointTensors(steps));
  const warning = await planSpace({ folder: checkpoints, bytes, keep }, freeSpace);
  if (warning !== null) say(`note: ${warning}`);
}

/** Where a run begins. */
interface Beginning {
  /** Completed steps. */
  readonly start: number;
  /** Whether the losses since the last line of the log are known. */
  readonly lossesKept: boolean;
  readonly checkpoint: Checkpoint | null;
}

/** The weights of elsewhere that the run begins with, unless it goes on. */
function originOf({ origin }: RunContext, { checkpoint }: Beginning): Origin | undefined {
  return checkpoint ? undefined : origin;
}

/** Makes the run its own: a checkpoint of step 0 before there is a config to go on with. */
async function keepOrigin(
  { state }: Trainer,
  folder: RunFolder,
  { origin, checkpointConfig: config }: RunContext,
): Promise<void> {
  const path = join(folder.checkpoints, `${stepName(0)}.safetensors`);
  await writeCheckpoint(path, { step: 0, config }, state.checkpointTensors(0));
  await atomicWrite(folder.origin, `${JSON.stringify(originRecord(origin!), null, 2)}\n`);
}

/** Where the run begins: at its newest checkpoint if it is to go on, else at its origin or afresh. */
async function begin(
  trainer: Trainer,
  { dir, resume, say, acceptConfig, origin }: RunContext,
  taken: TakenOver | undefined,
): Promise<Beginning> {
  let note = null as string | null;
  const checkpoint = resume
    ? await newestCheckpoint(runFolder(dir).checkpoints, say, (it) => {
      // First, as another network would make whole checkpoints look damaged.
      note = acceptConfig?.(it.config, it.step) ?? null;
      trainer.state.check(it);
    })
    : null;
  if (!checkpoint) {
    const { state, config } = trainer;
    if (origin && taken) {
      for (const line of taken.remarks) say(`note: ${line}`);
      await state.initializeFrom(origin, taken, config.run.seed);
    } else state.initialize(config.run.seed);
    return { start: 0, lossesKept: true, checkpoint };
  }
  if (note !== null) say(note);
  checkImages(checkpoint, trainer.images, trainer.config.data, say);
  const lossesKept = await trainer.state.load(checkpoint);
  return { start: checkpoint.step, lossesKept, checkpoint };
}

/** What is known once the step is planned. */
function tell(trainer: Trainer, start: number, say: (line: string) => void): void {
  const { config, diffusion, state, memory } = trainer;
  say(
    `memory    ${formatBytes(state.byteLength)} of weights, gradients, averages and moments; ` +
      describeMemory(memory),
  );
  if (usesTMax(diffusion)) {
    say(
      `tMax      ${diffusion.tMax} of ${diffusion.timesteps}` +
        (config.diffusion.tMax === "auto"
          ? ", where the noise meets the data's highest octave (usual choices: 50 and 100)"
          : ""),
    );
  }
  const { steps, batchSize } = config.train;
  const from = start > 0 ? `, going on after ${formatCount(start)}` : "";
  say(`steps     ${formatCount(steps)} of ${batchSize} images${from}`);
}
