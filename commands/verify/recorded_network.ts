/**
 * Replays a network of another code base that was recorded with its weights: what it gives, and the
 * gradients of a loss. What differs from code base to code base is a record in networks/.
 *
 * @module
 */
import { Graph, Tensor } from "../../autograd/graph.ts";
import { mseLoss } from "../../autograd/ops/losses.ts";
import type { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Module } from "../../model/module.ts";
import {
  checkTensors,
  fromPytorch,
  type PytorchEntry,
  toPytorch,
} from "../../model/names/pytorch.ts";
import { createArena, parameterSlots, readArena, writeArenas } from "../../model/parameters.ts";
import {
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";
import { channelsLast, toTorch } from "./layout.ts";
import {
  budgetOfError,
  caseName,
  describedPasses,
  isError,
  type PassDescription,
  type PassResults,
  resultsOf,
} from "./recorded_passes.ts";
import { activationsOf, compareActivations, sampled } from "./compare_activations.ts";
import { type LayerHabits, Watch } from "./recorded_activations.ts";
import { Pass, type PassArguments, type PassOutput, type RecordPass } from "./replayed_pass.ts";
import { type RecordedState, recordedState } from "./recorded_state.ts";

/** A network rebuilt from a manifest. */
export interface Rebuilt {
  /** The network. */
  readonly network: Module;
  /** Every entry of its `state_dict`. */
  readonly names: readonly PytorchEntry[];
  /**
   * What was recorded of it, by the name of the pass; `""` is the main one, which must give `out`
   * and may give `loss` where it is not the mean square of `out - target`. Outputs are named as in
   * the manifest; activations (`act/NAME`) may be among them, and are else found by their parameters.
   */
  readonly passes: Readonly<Record<string, RecordPass>>;
  /** Passes that have any name, told by the arguments of the recorded call. */
  readonly passOf?: (args: PassArguments) => RecordPass | undefined;
  /** What tells its layers' outputs from those that are recorded. */
  readonly layers?: LayerHabits;
}

/** How the networks of one code base are rebuilt. */
export interface RecordedNetwork {
  /** The `family` of their manifests. */
  readonly family: string;
  /**
   * Rebuilds one.
   *
   * @param state Its `state_dict`, for what is not learnt.
   * @throws {Unsupported} For a configuration that is not known here.
   */
  rebuild(golden: GoldenFile, state: RecordedState): Rebuilt;
}

/** Replays every pass of a recorded network. */
export async function* verifyNetwork(
  gpu: Gpu,
  golden: GoldenFile,
  { family, rebuild }: RecordedNetwork,
  base: GoldenFile | undefined,
): AsyncGenerator<CaseResult> {
  const state = recordedState(golden, base);
  const rebuilt = rebuild(golden, state);
  const { network, names, passes, passOf, layers = {} } = rebuilt;
  checkTensors(`the recorded ${family}`, names, state);
  const weights = createArena(gpu, "weights", network);
  const watch = new Watch(network, names, layers);
  for (const { name: pass, ...described } of describedPasses(golden)) {
    const own = caseName(golden);
    const name = { case: pass === "" ? own : `${own}.${pass}`, family, op: pass || "forward" };
    const record = passes[pass] ?? passOf?.(described.args ?? {});
    if (!record) yield unsupported(name, `pass ${pass} is not known`);
    else {
      writeArenas(gpu, [weights], namedValues(names, state));
      const one = { name: pass, ...described };
      yield* replay(
        name,
        () => verifyPass(gpu, golden, { ...rebuilt, weights, record, one, name, watch }),
      );
    }
  }
  weights.destroy(gpu);
}

/** A pass and what it runs on. */
interface Running extends Rebuilt {
  readonly weights: Arena;
  readonly watch: Watch;
  readonly record: RecordPass;
  readonly one: PassDescription;
  readonly name: { readonly case: string; readonly family: string; readonly op: string };
}

async function* verifyPass(
  gpu: Gpu,
  golden: GoldenFile,
  running: Running,
): AsyncGenerator<CaseResult> {
  const { network, weights, watch, record, one, name } = running;
  const results = resultsOf(golden, one.name);
  const grads = one.grad ? createArena(gpu, "gradients", network) : undefined;
  const capture = new Capture(gpu, name.case);
  const graph = new Graph(capture, {
    parameters: parameterSlots(network, weights, grads),
    training: one.mode === "train",
  });
  const pass = new Pass(golden, graph, one.args ?? {}, weights, one.prefix);
  watch.clear();
  const outputs: Record<string, PassOutput> = { ...record(pass) };
  const activations = activationsOf(results, watch, outputs);
  const gradients = one.grad ? backward(pass, outputs) : undefined;
  for (const output of Object.values(outputs)) {
    const ref = refOf(output);
    if (ref) capture.keep(ref);
  }
  for (const [, found] of activations) if (found) capture.keep(found.tensor.ref);
  const program = await capture.plan();
  program.run(pass.values);
  yield* replay(name, () => compareOutputs(golden, program, running, results, outputs));
  if (activations.size > 0) {
    const named = { ...name, case: `${name.case}.activations`, op: "activations" };
    yield* replay(
      named,
      () =>
        compareActivations(
          golden,
          program,
          { ...running, prefix: one.prefix, name: named },
          results,
          activations,
        ),
    );
  }
  const after = results.after ?? results.running_stats_after_one_forward;
  if (after) {
    const named = { ...name, case: `${name.case}.after`, op: "after" };
    yield* replay(named, () => compareWritten(gpu, golden, running, after, named));
  }
  if (grads && gradients) {
    const named = { ...name, case: `${name.case}.gradients`, op: "gradients" };
    yield* replay(named, async () => {
      const comparison = new Comparison(named.case, named.family, named.op);
      for (const [x, gradient] of gradients) {
        const key = `grad_${x}`;
        if (!(key in results)) continue;
        await check(comparison, golden, program, one.prefix + key, gradient, results[key]);
      }
      await compareGradients(gpu, golden, running, results, grads, comparison);
      return comparison.result();
    });
    grads.destroy(gpu);
  }
  program.destroy();
}

/** Differentiates the pass's loss; the gradients of its images, kept. */
function backward(pass: Pass, outputs: Record<string, PassOutput>): [string, TensorRef][] {
  const { out } = outputs;
  if (!outputs.loss) {
    if (!(out instanceof Tensor)) throw new Unsupported("a loss without an output is not known");
    outputs.loss = mseLoss(out, pass.constant("target"));
  }
  const found = pass.graph.backward(outputs.loss as Tensor);
  return [...pass.images].flatMap(([name, image]): [string, TensorRef][] => {
    const gradient = found.get(image);
    return gradient ? [[name, pass.graph.capture.keep(gradient)]] : [];
  });
}

async function compareOutputs(
  golden: GoldenFile,
  program: Program,
  { one, name }: Running,
  results: PassResults,
  outputs: Readonly<Record<string, PassOutput>>,
): Promise<CaseResult> {
  const comparison = new Comparison(name.case, name.family, name.op);
  const missing = Object.entries(results)
    .filter(([key, value]) => !key.startsWith("grad_") && isError(value) && !(key in outputs))
    .map(([key]) => key);
  if (missing.length > 0) throw new Unsupported(`${missing.join(", ")} cannot be given`);
  for (const [key, output] of Object.entries(outputs)) {
    if (key === "loss") {
      const { loss, loss_f64: exact = loss } = results;
      if (loss === undefined) continue;
      const actual = await valuesOf(program, output);
      const budget = Math.max(10 * Math.abs(loss - exact!), formulaBudget(loss));
      comparison.check("loss", actual, [exact!], budget);
      continue;
    }
    const told = key.startsWith("act/") ? results.activations?.[key.slice(4)] : results[key];
    await check(comparison, golden, program, one.prefix + key, output, told);
  }
  return comparison.result();
}

/** Compares one output; of an activation, 64 values are recorded. */
async function check(
  comparison: Comparison,
  golden: GoldenFile,
  program: Program,
  key: string,
  output: PassOutput,
  told: unknown,
): Promise<void> {
  if (!golden.has(key) || !isError(told)) throw new Unsupported(`${key} is not recorded`);
  const recorded = golden.get(key);
  const ref = refOf(output);
  const values = await valuesOf(program, output);
  const shape = (told as { shape?: readonly number[] }).shape ?? recorded.shape;
  const whole = ref ? toTorch(values, shape, channelsLast(shape.length)) : values;
  const actual = key.includes("act/") ? sampled(whole, recorded.data.length) : whole;
  comparison.check(key, actual, recorded.data, budgetOfError(told));
}

/** Compares what the pass has written over its weights. */
async function compareWritten(
  gpu: Gpu,
  golden: GoldenFile,
  { names, one, weights }: Running,
  after: NonNullable<PassResults["after"]>,
  name: Running["name"],
): Promise<CaseResult> {
  const comparison = new Comparison(name.case, name.family, name.op);
  for (const entry of names) {
    const told = after[entry.pytorchName];
    if (entry.kind === "constant" || !told) continue;
    const recorded = golden.get(`${one.prefix}after/${entry.pytorchName}`).data;
    const values = toPytorch(entry, await gpu.readF32(weights.get(entry.name)));
    const first = values.data.subarray(0, recorded.length);
    comparison.check(`after/${entry.pytorchName}`, first, recorded, budgetOfError(told));
  }
  return comparison.result();
}

async function compareGradients(
  gpu: Gpu,
  golden: GoldenFile,
  { names, one }: Running,
  results: PassResults,
  grads: Arena,
  comparison: Comparison,
): Promise<void> {
  const own = new Map<string, Float32Array<ArrayBuffer>>();
  for await (const [name, values] of readArena(gpu, grads)) own.set(name, values);
  const zero = new Set(results.zero_gradient_params);
  const compared = new Set<string>();
  for (const entry of names) {
    const told = results.grads?.[entry.pytorchName];
    if (entry.kind === "constant" || !told) continue;
    compared.add(entry.pytorchName);
    const recorded = golden.get(`${one.prefix}grad/${entry.pytorchName}`).data;
    const values = toPytorch(entry, own.get(entry.name)!).data.subarray(0, recorded.length);
    // What is zero in exact arithmetic is recorded as round-off.
    const roundOff = zero.has(entry.pytorchName)
      ? 1e-4 * (results.grad_max_over_all_params_f64 ?? 1)
      : 0;
    const budget = Math.max(budgetOfError(told), roundOff);
    comparison.check(`grad/${entry.pytorchName}`, values, recorded, budget);
  }
  const missing = Object.keys(results.grads ?? {}).find((name) => !compared.has(name));
  if (missing !== undefined) throw new Unsupported(`the gradient of ${missing} cannot be given`);
}

/** Learned values under our names. */
function* namedValues(
  names: readonly PytorchEntry[],
  state: RecordedState,
): Generator<[string, Float32Array<ArrayBuffer>]> {
  for (const entry of names) {
    if (entry.kind === "constant") continue;
    yield [entry.name, fromPytorch(entry, state.get(entry.pytorchName)!)];
  }
}

function refOf(output: PassOutput): TensorRef | undefined {
  if (output instanceof Tensor) return output.ref;
  return "shape" in output ? output : undefined;
}

async function valuesOf(program: Program, output: PassOutput): Promise<ArrayLike<number>> {
  const ref = refOf(output);
  return ref ? await program.readF32(ref) : output as ArrayLike<number>;
}
