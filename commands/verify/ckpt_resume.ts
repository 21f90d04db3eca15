/**
 * A checkpoint of pytorch-ddpm taken over whole: both its networks run, its training goes on, and it is
 * written back under its own names.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { mseLoss } from "../../autograd/ops/losses.ts";
import type { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import { pytorchNames, toPytorch } from "../../model/networks/ho2020/names/pytorch_ddpm.ts";
import type { UNet } from "../../model/networks/ho2020/unet.ts";
import { parameterSlots } from "../../model/parameters.ts";
import { OPTIMIZER_SCALARS_SHAPE, optimizerScalars, recordOptimizer } from "../../optim/adam.ts";
import { UsageError } from "../../support/errors.ts";
import { readFileChecked } from "../../support/files.ts";
import { Checkpoint } from "../../training/checkpoint.ts";
import { TrainState } from "../../training/state.ts";
import { parseFlagfile } from "../shared/checkpoints/flagfile.ts";
import { fromCheckpoint, type PortableModel, writeModel } from "../shared/checkpoints/portable.ts";
import { exportPytorchDdpm, importPytorchDdpm } from "../shared/checkpoints/pytorch_ddpm.ts";
import { readSource, type Source } from "../shared/checkpoints/source.ts";
import { checkSums, type CkptManifest, type RecordedStep } from "./ckpt_manifest.ts";
import { budgetOf, type CaseResult, Comparison, maxAbs, type Recorded, replay } from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { makeProcess } from "../../diffusion/process.ts";

const FAMILY = "ckpt";

/**
 * PyTorch's own f32 error of the two outputs as a share of their scale, measured against f64 on the
 * recorded inputs (3.0e-7 and 6.8e-7): the file does not record it.
 */
const FORWARD_ERROR = 3e-7;
/** Share of an Adam step that round-off in the gradient may change. */
const STEP_ERROR = 1e-3;
/** Gradients whose squares average to less than this are zero in exact arithmetic. */
const ZERO_SQUARE = 1e-24;

interface Arenas {
  readonly model: PortableModel;
  readonly state: TrainState;
}

/** Recorded inputs and outputs by name. */
type Recordings = ReadonlyMap<string, Recorded>;

/** Replays what was recorded of the checkpoint's networks and of two more steps. */
export async function* verifyResume(
  gpu: Gpu,
  place: string,
  manifest: CkptManifest,
  resume: NonNullable<CkptManifest["resume"]>,
): AsyncGenerator<CaseResult> {
  const source = await readSource(`${place}/ckpt.pt`);
  const recorded = await readRecordings(`${place}/${resume.file}`);
  const flags = Object.entries(manifest.flags ?? {}).map(([name, value]) => `--${name}=${value}`);
  const imported = importPytorchDdpm(source, {
    flags: parseFlagfile(flags.join("\n")),
    overrides: [],
  });
  const folder = await Deno.makeTempDir();
  try {
    const path = await writeModel(`${folder}/imported.safetensors`, imported);
    const checkpoint = await Checkpoint.open(path);
    const model = fromCheckpoint(checkpoint);
    const name = { case: "export", family: FAMILY, op: "safetensors" };
    yield* replay(name, () => verifyExport(source, model));
    const state = new TrainState(gpu, model.network, 1);
    await state.load(checkpoint);
    for (
      const [forward, arena] of [["forward.net", state.weights], [
        "forward.ema",
        state.ema,
      ]] as const
    ) {
      const name = { case: forward, family: FAMILY, op: "unet" };
      const arenas = { model, state };
      yield* replay(name, () => verifyForward(gpu, forward, arenas, arena, recorded));
    }
    const steps = { case: "resume.steps", family: FAMILY, op: "adam" };
    yield* replay(steps, () => verifySteps(gpu, { model, state }, recorded, manifest));
    state.destroy();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readRecordings(path: string): Promise<Recordings> {
  const tensors = new Map<string, Recorded>();
  for (const [name, { shape, data }] of readSafetensors(await readFileChecked(path)).tensors) {
    tensors.set(name, { shape, data: Array.from<number | bigint, number>(data as never, Number) });
  }
  return tensors;
}

function recording(recorded: Recordings, name: string): Recorded {
  const tensor = recorded.get(name);
  if (!tensor) throw new UsageError(`Cannot verify: tensor ${name} must be in the file`);
  return tensor;
}

/** Every tensor of the checkpoint must come back with the bits that it had. */
async function verifyExport(source: Source, model: PortableModel): Promise<CaseResult> {
  const comparison = new Comparison("export", FAMILY, "safetensors");
  const { tensors } = exportPytorchDdpm(model, "all");
  const names = tensors.map(([name]) => name).sort().join();
  comparison.note("names", 0, 0, names === [...source.tensors.keys()].sort().join());
  for (const [name, tensor] of tensors) {
    const original = source.tensors.get(name);
    const before = original &&
      new Uint8Array((original.read().data as Float32Array).slice().buffer);
    const after = new Uint8Array((await tensor.read()).data.slice().buffer);
    const same = original?.dtype === tensor.dtype && before?.length === after.length &&
      original.shape.join() === tensor.shape.join() && before.every((byte, i) => byte === after[i]);
    comparison.note(name, same ? 0 : 1, 0, same);
  }
  return comparison.result();
}

/** The output of one set of weights. */
async function verifyForward(
  gpu: Gpu,
  name: "forward.net" | "forward.ema",
  { model, state }: Arenas,
  arena: Arena,
  recorded: Recordings,
): Promise<CaseResult> {
  const images = fromTorch(recording(recorded, "fwd.x"), IMAGE);
  const capture = new Capture(gpu, name);
  const graph = new Graph(capture, { parameters: parameterSlots(state.network, arena) });
  const x = graph.constant(capture.input("x", images.shape));
  const out = model.network.forward(graph, {
    x,
    level: capture.input("t", [images.shape[0]!], "u32"),
  });
  capture.keep(out.ref);
  const program = await capture.plan();
  program.run({ x: images.data, t: recording(recorded, "fwd.t").data });
  const expected = recording(recorded, name === "forward.net" ? "fwd.out_net" : "fwd.out_ema");
  const actual = toTorch(await program.readF32(out.ref), expected.shape, IMAGE);
  program.destroy();
  const comparison = new Comparison(name, FAMILY, "unet");
  const scale = maxAbs(expected.data);
  comparison.check("out", actual, expected.data, budgetOf(FORWARD_ERROR * scale, scale));
  return comparison.result();
}

/** A training step on given images, noise and timesteps, as our trainer takes one. */
async function captureStep(gpu: Gpu, { model, state }: Arenas, shape: readonly number[]) {
  const { config, network } = model;
  const capture = new Capture(gpu, "resumed step");
  const { weights, grads, firstMoments: m, secondMoments: v, ema } = state;
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
  const x0 = capture.input("x0", shape), noise = capture.input("noise", shape);
  const t = capture.input("t", [shape[0]!], "u32");
  const process = makeProcess(config.diffusion).onGpu(gpu);
  const xt = process.noised(capture, x0, noise, t);
  const out = network.forward(graph, { x: graph.constant(xt), level: t });
  const loss = mseLoss(out, graph.constant(noise));
  graph.backward(loss);
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  const { norm } = recordOptimizer(capture, {
    params: weights,
    grads,
    m,
    v,
    ema,
    options: config.optim,
    scalars,
  });
  for (const ref of [loss.ref, norm]) capture.keep(ref);
  const program = await capture.plan();
  return {
    program,
    loss: loss.ref,
    norm,
    destroy: () => {
      program.destroy();
      process.destroy();
    },
  };
}

async function* verifySteps(
  gpu: Gpu,
  arenas: Arenas,
  recorded: Recordings,
  manifest: CkptManifest,
): AsyncGenerator<CaseResult> {
  const steps = manifest.resume?.steps ?? [];
  const { model: { config, step: done } } = arenas;
  const { shape } = fromTorch(recording(recorded, "resume0.x_0"), IMAGE);
  const { program, loss, norm, destroy } = await captureStep(gpu, arenas, shape);
  for (const [i, step] of steps.entries()) {
    const input = (name: string) => recording(recorded, `resume${i}.${name}`);
    program.run({
      x0: fromTorch(input("x_0"), IMAGE).data,
      noise: fromTorch(input("noise"), IMAGE).data,
      t: input("t").data,
      optimizer: optimizerScalars(config.optim, done + i, config.train.steps),
    });
    const progress = new Comparison(`resume${i}.step`, FAMILY, "adam");
    progress.check("loss", await program.read(loss), [step.loss], 1e-5 * step.loss);
    progress.check("norm", await program.read(norm), [step.grad_norm], 1e-4 * step.grad_norm);
    yield progress.result();
    for (const set of ["net", "ema"] as const) {
      yield await verifyWeights(gpu, arenas, { i, set, step, recorded, manifest });
    }
  }
  destroy();
}

/** The weights, or their average, after one of the recorded steps. */
interface WeightsCase {
  /** Number of the step. */
  readonly i: number;
  readonly set: "net" | "ema";
  readonly step: RecordedStep;
  readonly recorded: Recordings;
  readonly manifest: CkptManifest;
}

/**
 * Every tensor by its sums and ends; where it is recorded whole, all but 0.5 % of its elements, at
 * least one, to round-off, and those others to less than the steps' own length.
 */
async function verifyWeights(
  gpu: Gpu,
  { model, state }: Arenas,
  { i, set, step, recorded, manifest }: WeightsCase,
): Promise<CaseResult> {
  const comparison = new Comparison(`resume${i}.${set}`, FAMILY, set === "net" ? "adam" : "ema");
  const arena = set === "net" ? state.weights : state.ema;
  const lr = step.lr_used, steps = i + 1;
  // An average takes over only this share of what the weights do.
  const share = set === "net" ? 1 : 1 - model.config.optim.ema.decay ** steps;
  for (const entry of pytorchNames(model.network as UNet)) {
    if (entry.kind === "constant") continue;
    const { pytorchName: name } = entry;
    const values = toPytorch(entry, await gpu.readF32(arena.get(entry.name))).data;
    const squares = manifest.optim?.[name]?.exp_avg_sq.sum ?? 0;
    const zero = squares < ZERO_SQUARE * values.length;
    const roundOff = budgetOf(0, maxAbs(values));
    const near = roundOff + share * lr * (zero ? 3.3 : steps * STEP_ERROR);
    const after = step[`${set}_after`][name];
    if (after) {
      checkSums(comparison, name, values, after, near * Math.sqrt(values.length), near);
    } else comparison.note(name, Infinity, 0, false);
    const whole = recorded.get(`resume${i}.${set}/${name}`)?.data;
    if (!whole) continue;
    const errors = Array.from(whole, (value, k) => Math.abs(values[k]! - value));
    const broken = errors.some(Number.isNaN) || whole.length !== values.length;
    errors.sort((a, b) => b - a);
    const allowed = Math.max(1, Math.floor(0.005 * errors.length));
    const far = Math.max(roundOff, share * 2.2 * steps * lr);
    comparison.note(name, errors[0]!, far, !broken && errors[0]! <= far);
    comparison.note(`${name} elements`, errors[allowed]!, roundOff, errors[allowed]! <= roundOff);
  }
  return comparison.result();
}
