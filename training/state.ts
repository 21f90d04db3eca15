/**
 * What training changes: weights, their moving average, the optimiser's moments and the losses since
 * the last line of the log. It is all that a checkpoint holds and a resumed run needs.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";
import { sizeOf, slice, type TensorRef } from "../device/tensor.ts";
import { FIRST_LOSS_SCALE, LOSS_SCALE_STATE } from "../kernels/optim/loss_scale.ts";
import { type Module, namedParameters } from "../model/module.ts";
import { createArena, initialValues, writeArenas } from "../model/parameters.ts";
import { pause } from "../support/pause.ts";
import type { Checkpoint, CheckpointTensor } from "./checkpoint.ts";
import { type Origin, originPrefix, type TakenOver } from "./origin.ts";
import {
  EMA_PREFIX,
  FIRST_MOMENTS_PREFIX,
  SECOND_MOMENTS_PREFIX,
  WEIGHTS_PREFIX,
} from "./prefixes.ts";
import { inspectValues, NonFiniteError } from "./non_finite.ts";
import { averagePrefix, createPowerAverages, type PowerAverage } from "./power_averages.ts";
import { formatCount } from "./run_summary.ts";

export { EMA_PREFIX, FIRST_MOMENTS_PREFIX, SECOND_MOMENTS_PREFIX, WEIGHTS_PREFIX };

/** Arenas of one layout, one tensor a parameter in each. */
export class TrainState {
  readonly weights: Arena;
  readonly grads: Arena;
  readonly ema: Arena;
  readonly firstMoments: Arena;
  readonly secondMoments: Arena;
  /** Averages of power-function profiles, by their width. */
  readonly powerAverages: readonly PowerAverage[];
  /** Losses of the latest steps, f32; step k's is at k modulo the length. */
  readonly losses: TensorRef;
  /** Of a run in f16: the state of its loss scale, see kernels/optim/loss_scale.ts. */
  readonly lossScale: TensorRef | null;
  #lossSeed: TensorRef | undefined;

  /**
   * @param slots Length of `losses`.
   * @param objectiveState What else training changes, by name; freed by its creator.
   * @param observerState What observers have accumulated for the next line of the log, likewise.
   * @param widths Widths of averages with power-function profiles.
   * @param scaled Whether gradients are those of a scaled loss.
   */
  constructor(
    private readonly gpu: Gpu,
    readonly network: Module,
    slots: number,
    private readonly objectiveState: ReadonlyMap<string, TensorRef> = new Map(),
    private readonly observerState: ReadonlyMap<string, TensorRef> = new Map(),
    widths: readonly number[] = [],
    scaled = false,
  ) {
    const arena = (label: string) => createArena(gpu, label, network);
    this.weights = arena("weights");
    this.grads = arena("gradients");
    this.ema = arena("averaged weights");
    this.firstMoments = arena("first moments");
    this.secondMoments = arena("second moments");
    this.powerAverages = createPowerAverages(gpu, network, widths);
    this.losses = gpu.tensor([slots], { label: "losses" });
    this.lossScale = scaled ? gpu.tensor([LOSS_SCALE_STATE], { label: "loss scale" }) : null;
  }

  /** Bytes of all arenas. */
  get byteLength(): number {
    return this.#arenas.reduce((sum, arena) => sum + arena.byteLength, 0);
  }

  /**
   * The gradient of the objective with respect to the loss of a part of the batch; where the loss is
   * scaled it is the scale, and the optimiser takes the share.
   */
  lossSeed(share: number): TensorRef {
    if (this.lossScale) return slice(this.lossScale, 0, []);
    const data = Float32Array.of(share);
    return this.#lossSeed ??= this.gpu.tensor([], { data, label: "share of the loss" });
  }

  /** Frees everything. */
  destroy(): void {
    for (const arena of this.#arenas) arena.destroy(this.gpu);
    this.gpu.destroyTensor(this.losses);
    if (this.lossScale) this.gpu.destroyTensor(this.lossScale);
    if (this.#lossSeed) this.gpu.destroyTensor(this.#lossSeed);
  }

  /**
   * Sets everything to zeros, also what instruments have gathered and what lies between tensors: NaN
   * spreads there too.
   */
  clear(): void {
    const chunks = this.#arenas.flatMap((arena) => arena.chunks);
    const others = [...this.objectiveState.values(), ...this.observerState.values(), this.losses];
    for (const tensor of [...chunks, ...others]) {
      this.gpu.write(tensor, new Float32Array(sizeOf(tensor.shape)));
    }
  }

  /** Starts from scratch; averages start as copies of the weights. */
  initialize(seed: number): void {
    writeArenas(this.gpu, [this.weights, ...this.#averages], initialValues(this.network, seed));
    this.#beginLossScale();
  }

  /**
   * Starts with what is taken over of an origin: weights, their averages the same, and moments of what is
   * learned if it brings them. All else is from scratch.
   */
  async initializeFrom(origin: Origin, { names }: TakenOver, seed: number): Promise<void> {
    const { checkpoint, moments = false } = origin;
    const named = [...namedParameters(this.network)];
    if (named.some(([name]) => !names.has(name))) this.initialize(seed);
    const load = async (arena: Arena, prefix: string, wanted: ReadonlySet<string>) =>
      await loadWeights(this.gpu, arena, checkpoint, prefix, wanted);
    for (const arena of [this.weights, ...this.#averages]) {
      await load(arena, originPrefix(origin), names);
    }
    this.#beginLossScale();
    if (!moments) return;
    // What is frozen must not drift by what it was pushed before.
    const learned = new Set(
      named.flatMap(([name, parameter]) => names.has(name) && parameter.learned ? [name] : []),
    );
    await load(this.firstMoments, FIRST_MOMENTS_PREFIX, learned);
    await load(this.secondMoments, SECOND_MOMENTS_PREFIX, learned);
  }

  #beginLossScale(): void {
    if (this.lossScale) this.gpu.write(this.lossScale, Float32Array.of(FIRST_LOSS_SCALE, 0, 0, 0));
  }

  /**
   * The tensors of a checkpoint, in a fixed order. Those of weights and optimiser refuse to be read
   * once they are not finite, and all of them once the device has failed.
   *
   * @param step Completed steps, for the error.
   */
  checkpointTensors(step: number): CheckpointTensor[] {
    const stored = Array.from(this.#stored(), ([name, tensor]) => ({ name, tensor, strict: true }));
    const rest = [[LOSSES, this.losses] as const, ...this.observerState]
      .map(([name, tensor]) => ({ name, tensor, strict: false }));
    return [...stored, ...rest].map(({ name, tensor, strict }) => ({
      name,
      shape: tensor.shape,
      read: async () => {
        const values = await this.gpu.readF32(tensor);
        // The news of a device that failed come between macrotasks.
        await pause();
        this.gpu.health.check();
        const { bad } = strict ? inspectValues(values) : { bad: 0 };
        if (bad === 0) return values;
        throw new NonFiniteError(
          "state",
          step,
          `Cannot save step ${step}: ${name} must be finite, got ${formatCount(bad)} of ${
            formatCount(values.length)
          } values that are not`,
        );
      },
    }));
  }

  /** The first tensor of weights or optimiser that is not finite, or null. */
  async firstNonFinite(): Promise<string | null> {
    for (const [name, tensor] of this.#stored()) {
      if (inspectValues(await this.gpu.readF32(tensor)).bad > 0) return name;
    }
    return null;
  }

  /** Refuses a checkpoint of another network. */
  check(checkpoint: Checkpoint): void {
    for (const [name, tensor] of this.#stored()) checkpoint.place(name, tensor.shape);
  }

  /**
   * Takes everything over from a checkpoint.
   *
   * @returns Whether the losses since the last line of the log could be taken over too; with another
   *   logging interval they can't.
   */
  async load(checkpoint: Checkpoint): Promise<boolean> {
    this.check(checkpoint);
    for (const [name, tensor] of this.#stored()) {
      this.gpu.write(tensor, await checkpoint.read(name, tensor.shape));
    }
    // With other instruments what was gathered is of no use, and they begin anew.
    for (const [name, tensor] of this.observerState) await this.#take(checkpoint, name, tensor);
    return await this.#take(checkpoint, LOSSES, this.losses);
  }

  /** Fills a tensor if the checkpoint has one of its name and shape. */
  async #take(checkpoint: Checkpoint, name: string, tensor: TensorRef): Promise<boolean> {
    const stored = checkpoint.tensors.get(name)?.shape;
    if (stored?.join() !== tensor.shape.join()) return false;
    this.gpu.write(tensor, await checkpoint.read(name, tensor.shape));
    return true;
  }

  get #arenas(): Arena[] {
    const { weights, grads, firstMoments, secondMoments } = this;
    return [weights, grads, firstMoments, secondMoments, ...this.#averages];
  }

  get #averages(): Arena[] {
    return [this.ema, ...this.powerAverages.map(({ arena }) => arena)];
  }

  *#stored(): Generator<[name: string, tensor: TensorRef]> {
    const arenas: [string, Arena][] = [
      [WEIGHTS_PREFIX, this.weights],
      [EMA_PREFIX, this.ema],
      [FIRST_MOMENTS_PREFIX, this.firstMoments],
      [SECOND_MOMENTS_PREFIX, this.secondMoments],
      ...this.powerAverages.map(({ width, arena }) =>
        [averagePrefix(width), arena] as [string, Arena]
      ),
    ];
    for (const [prefix, arena] of arenas) {
      for (const [name, tensor] of arena.tensors) yield [`${prefix}${name}`, tensor];
    }
    if (this.lossScale) yield [LOSS_SCALE, this.lossScale];
    yield* this.objectiveState;
  }
}

const LOSSES = "log/losses", LOSS_SCALE = "optim/lossScale";

/**
 * Fills an arena with one set of a checkpoint's weights.
 *
 * @param prefix {@linkcode WEIGHTS_PREFIX} or {@linkcode EMA_PREFIX}.
 * @param wanted Names that are taken; all unless given.
 */
export async function loadWeights(
  gpu: Gpu,
  arena: Arena,
  checkpoint: Pick<Checkpoint, "read">,
  prefix: string,
  wanted?: ReadonlySet<string>,
): Promise<void> {
  for (const [name, tensor] of arena.tensors) {
    if (wanted && !wanted.has(name)) continue;
    gpu.write(tensor, await checkpoint.read(`${prefix}${name}`, tensor.shape));
  }
}
