/**
 * Finds the tensor that went bad first. A run is a function of its config and seed, so the steps since
 * the last checkpoint can be taken again, and the one that failed walked through dispatch by
 * dispatch: each tensor that it writes is read and looked at before the next dispatch runs.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import { BYTES } from "../device/element.ts";
import { byteLengthOf, formatShape, resolve, sizeOf, type TensorRef } from "../device/tensor.ts";
import type { TracedBinding, TracedDispatch } from "../device/trace.ts";
import { inspectValues, type NonFiniteError, type ValueSummary } from "./non_finite.ts";
import { formatCount } from "./run_summary.ts";
import { pauseForSignals } from "./stop_signals.ts";
import type { Trainer } from "./trainer.ts";

/** Steps are taken again no longer than this. */
const MOST_MS = 15 * 60_000;

/** Tensors that overflow by design, as something beside them takes over. */
const MAY_OVERFLOW: ReadonlySet<string> = new Set(["squares of the gradient"]);

/** The tensor that went bad first, as one clause of a sentence. */
export interface Finding {
  /** The step, counted from 1. */
  readonly step: number;
  /** Which tensor, what computed it and from what. */
  readonly text: string;
}

/** When and how long steps may be taken again. */
export interface DiagnoseOptions {
  /** Completed steps of the trainer's state. */
  readonly from: number;
  /** Puts the trainer back to that state. */
  readonly restart: () => Promise<void>;
  /** Aborted when nobody wants to wait. */
  readonly signal: AbortSignal;
  /** Milliseconds, {@linkcode MOST_MS} unless given. */
  readonly mostMs?: number;
}

/**
 * Takes the steps from a good state to a failure again and finds where it began.
 *
 * @param trainer In the state of `from`.
 * @returns A clause for the error: the finding, or why there is none.
 */
export async function diagnose(
  trainer: Trainer,
  error: NonFiniteError,
  { from, restart, signal, mostMs = MOST_MS }: DiagnoseOptions,
): Promise<string> {
  const begun = performance.now();
  /** Why it is better to stop before step `step` of `end`, or null. */
  const obstacle = (step: number, end: number): string | null => {
    if (signal.aborted) return "the search for the first bad tensor was cut short";
    const ms = performance.now() - begun;
    if (ms <= 2000 || ms * (end - from) / Math.max(step - from, 1) <= mostMs) return null;
    return `finding the first bad tensor takes ${
      formatCount(end - from)
    } steps again, too many: go on by --resume with a smaller --train.checkpointEvery`;
  };
  let failed = error.step;
  if (error.kind === "state") {
    // Losses say nothing of when the state went bad, so it is read after each step.
    for (failed = from + 1; failed < error.step; failed++) {
      const reason = obstacle(failed - 1, error.step);
      if (reason !== null) return reason;
      await trainer.step(failed - 1);
      await pauseForSignals();
      if (await trainer.state.firstNonFinite() !== null) break;
    }
    await restart();
  }
  // What makes a loss bad may have been done to the weights by the step before.
  for (let step = from; step < failed; step++) {
    const reason = obstacle(step, failed);
    if (reason !== null) return reason;
    if (step < failed - 2) {
      await trainer.step(step);
      await trainer.gpu.finish();
      await pauseForSignals();
      continue;
    }
    const finding = await findNonFinite(trainer, step);
    if (finding) return `in step ${finding.step} the first non-finite tensor is ${finding.text}`;
  }
  return `taken again from step ${from} every tensor was finite, which points at the driver or the ` +
    "memory, not at the config";
}

/**
 * Takes a step dispatch by dispatch up to the first tensor that is not finite.
 *
 * @param step Completed steps before this one.
 */
export async function findNonFinite(trainer: Trainer, step: number): Promise<Finding | null> {
  const search = new Search(trainer);
  for await (const dispatch of trainer.traceStep(step)) {
    const text = await search.take(dispatch);
    if (text !== null) return { step: step + 1, text };
    await pauseForSignals();
    trainer.gpu.health.check();
  }
  return null;
}

class Search {
  /** Places in persistent memory that were found finite. */
  readonly #seen = new Set<string>();
  readonly #buffers = new Map<unknown, number>();
  #phase: "forward" | "backward" | "optimiser" = "forward";
  #module = "";

  constructor(private readonly trainer: Trainer) {}

  /** Looks at what a dispatch reads from outside, runs it, and looks at what it wrote. */
  async take(dispatch: TracedDispatch): Promise<string | null> {
    const { state } = this.trainer;
    const floats = dispatch.bindings.filter(({ tensor }) =>
      tensor.dtype !== "u32" && !MAY_OVERFLOW.has(tensor.label)
    );
    for (const { tensor, access, read } of floats) {
      const place = access === "write" ? null : this.#persistentPlace(tensor);
      if (place === null || this.#seen.has(place)) continue;
      const found = inspectValues(await read());
      if (found.bad > 0) return `${this.#given(tensor, found)}, before anything was computed`;
      this.#seen.add(place);
    }
    if (floats.some(({ tensor }) => state.grads.chunks.some((chunk) => same(chunk, tensor)))) {
      this.#phase = "optimiser";
    }
    const names = floats.flatMap(({ tensor }) => nameIn(state.weights, tensor) ?? []);
    const module = names[0]?.replace(/\.[^.]*$/, "");
    if (module !== undefined && this.#phase !== "optimiser") this.#module = module;
    dispatch.run();
    for (const { tensor, access, read } of floats) {
      if (access === "read") continue;
      const found = inspectValues(await read());
      if (found.bad > 0) {
        return `${this.#written(dispatch, tensor, found, module !== undefined)}; ` +
          await this.#inputs(floats);
      }
      const place = this.#persistentPlace(tensor);
      if (place !== null) this.#seen.add(place);
    }
    if (dispatch.bindings.some(({ tensor }) => same(tensor, state.losses))) {
      this.#phase = "backward";
    }
    return null;
  }

  /** A tensor that the step did not compute. */
  #given(tensor: TensorRef, found: ValueSummary): string {
    const { weights } = this.trainer.state;
    const parameter = nameIn(weights, tensor);
    const name = parameter === undefined
      ? tensor.storage.kind === "input" ? `the input ${tensor.label}` : `the data ${tensor.label}`
      : `the parameter ${parameter}`;
    return `${name} (${countText(tensor, found)})`;
  }

  #written(
    { kernel }: TracedDispatch,
    tensor: TensorRef,
    found: ValueSummary,
    ofModule: boolean,
  ): string {
    const what = `${kernel}, ${countText(tensor, found)}`;
    const place = this.#inArenas(tensor, found.first);
    if (place !== null) return `${place} (${what})`;
    const { label } = tensor;
    if (same(tensor, this.trainer.state.losses)) return `the loss (${what})`;
    const where = this.#module === "" ? "" : ` ${ofModule ? "of" : "after"} ${this.#module}`;
    if (this.#phase === "optimiser") return `the ${label} (${what})`;
    if (this.#phase === "backward") return `in the backward pass, ${label}${where} (${what})`;
    return `${ofModule ? `the output${where}` : `${label}${where}`} (${what})`;
  }

  /** A parameter's gradient, or what the optimiser keeps of it, at a value of `tensor`. */
  #inArenas(tensor: TensorRef, index: number): string | null {
    const { weights, grads, ema, firstMoments, secondMoments } = this.trainer.state;
    const arenas: [string, Arena][] = [
      ["the gradient of", grads],
      ["the weights of", weights],
      ["the average of", ema],
      ["the first moments of", firstMoments],
      ["the second moments of", secondMoments],
    ];
    for (const [title, arena] of arenas) {
      const name = nameIn(arena, tensor, index);
      if (name !== undefined) return `${title} ${name}`;
    }
    return null;
  }

  /** What the bad tensor was made of; all of it is finite, else it would have been found before. */
  async #inputs(floats: readonly TracedBinding[]): Promise<string> {
    let largest = -1, holder = "";
    for (const { tensor, access, read } of floats) {
      if (access !== "read") continue;
      const found = inspectValues(await read());
      if (found.largest > largest) [largest, holder] = [found.largest, tensor.label];
    }
    if (holder === "") return "it has no inputs";
    return `its inputs are finite, the largest |value| is ${largest.toPrecision(2)} in ${holder}`;
  }

  /** A key of a tensor's place in memory that outlives the step; null for other tensors. */
  #persistentPlace(tensor: TensorRef): string | null {
    const { storage, byteOffset } = resolve(tensor);
    if (storage.kind === "transient") return null;
    const space = storage.kind === "buffer" ? storage.buffer : storage;
    const number = this.#buffers.get(space) ?? this.#buffers.size;
    this.#buffers.set(space, number);
    return `${number} ${byteOffset} ${byteLengthOf(tensor)}`;
  }
}

/** Whether two tensors begin at one place. */
function same(a: TensorRef, b: TensorRef): boolean {
  const [x, y] = [resolve(a), resolve(b)];
  return sizeOf(a.shape) === sizeOf(b.shape) && x.byteOffset === y.byteOffset &&
    bufferOf(x.storage) === bufferOf(y.storage);
}

function bufferOf(storage: ReturnType<typeof resolve>["storage"]): unknown {
  return storage.kind === "buffer" ? storage.buffer : storage;
}

/** The tensor of an arena that value `index` of `tensor` belongs to. */
function nameIn(arena: Arena, tensor: TensorRef, index = 0): string | undefined {
  const { storage, byteOffset } = resolve(tensor);
  const at = byteOffset + index * BYTES[tensor.dtype];
  for (const [name, own] of arena.tensors) {
    if (bufferOf(own.storage) !== bufferOf(storage)) continue;
    if (at >= own.byteOffset && at < own.byteOffset + byteLengthOf(own)) return name;
  }
  return undefined;
}

function countText({ shape }: TensorRef, { bad }: ValueSummary): string {
  return `${formatShape(shape)}, ${formatCount(bad)} of ${formatCount(sizeOf(shape))} values`;
}
