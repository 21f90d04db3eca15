/**
 * The families unet-small and unet-attention: forward pass, gradients, and three steps of Adam with
 * clipping and EMA.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { mseLoss } from "../../autograd/ops/losses.ts";
import type { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import {
  pytorchNames,
  type PytorchParameter,
  toPytorch,
} from "../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { createArena, parameterSlots, writeArenas } from "../../model/parameters.ts";
import type { UNet } from "../../model/networks/ho2020/unet.ts";
import { OPTIMIZER_SCALARS_SHAPE, optimizerScalars, recordOptimizer } from "../../optim/adam.ts";
import {
  NO_POWER_EMA,
  type OptimOptions,
  PLAIN_EMA,
  PLAIN_RATE,
  PLAIN_START,
} from "../../optim/options.ts";
import {
  budgetOf,
  type CaseResult,
  Comparison,
  type GoldenFile,
  maxAbs,
  replay,
  Unsupported,
} from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { recordedNetwork, recordedValues, recordedWeights } from "./networks.ts";

/** Gradients that are zero in exact arithmetic are recorded as round-off of about this size. */
const ZERO_GRADIENT_BUDGET = 1e-4;

/** The recorded optimiser as the manifest has it: torch.optim.Adam's defaults with this rate. */
const RECORDED_OPTIMIZER = "Adam lr 2e-4 betas (0.9,0.999) eps 1e-8";
const OPTIMIZER: Omit<OptimOptions, "ema" | "powerEma" | "gradClip" | keyof typeof PLAIN_START> = {
  name: "adam",
  lr: 2e-4,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  warmupSteps: 0,
  decay: "constant",
  ...PLAIN_RATE,
};

/** Recorded errors of one parameter, by what was recorded. */
type PerTensor = Readonly<Record<string, number | [number, number] | undefined>>;

/** The file's name, which is that of the family. */
const familyOf = ({ manifest }: GoldenFile) => String(manifest.file).replace(".safetensors", "");

/** Replays such a family. */
export async function* verifyUnet(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const family = familyOf(golden);
  const network = recordedNetwork(golden, golden.get("x").shape[1]!);
  const passes = { case: "passes", family, op: "unet" };
  yield* replay(passes, () => verifyPasses(gpu, golden, network));
  const recorded = golden.manifest.training as RecordedTraining | undefined;
  if (!recorded) return;
  for (const average of averages(golden)) {
    const training = { case: `training.${average.key}`, family, op: "adam" };
    yield* replay(training, () => verifyTraining(gpu, golden, network, recorded, average));
  }
}

interface Average {
  readonly key: string;
  readonly decay: number;
  /** Whether the weights themselves are compared beside it. */
  readonly first: boolean;
}

/** Recorded averages: ema9999 is one with a decay of 0.9999. */
function averages(golden: GoldenFile): Average[] {
  const keys = new Set(golden.names.map((name) => name.split("/")[0]!));
  return [...keys].filter((key) => /^ema\d+$/.test(key)).map((key, i) => ({
    key,
    decay: Number(key.replace("ema", "0.")),
    first: i === 0,
  }));
}

/** What is recorded of the steps; the weights after three are after3/NAME. */
interface RecordedTraining {
  readonly optimizer: string;
  readonly grad_clip: number;
  readonly losses: readonly number[];
  readonly grad_norms_before_clip: readonly number[];
}

/** Everything that a step needs, its images given as inputs of the program. */
function captureStep(gpu: Gpu, golden: GoldenFile, network: UNet, weights: Arena, grads: Arena) {
  const capture = new Capture(gpu, "U-Net step");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
  const { shape } = fromTorch(golden.get("x"), IMAGE);
  const x = graph.constant(capture.input("x", shape));
  const target = graph.constant(capture.input("target", shape));
  const out = network.forward(graph, { x, level: capture.input("t", [shape[0]!], "u32") });
  const loss = mseLoss(out, target);
  graph.backward(loss);
  capture.keep(out.ref);
  capture.keep(loss.ref);
  return { capture, out: out.ref, loss: loss.ref };
}

/** A step's inputs; those of the first have no prefix. */
function stepInputs(golden: GoldenFile, step: number) {
  const name = (part: string) => step === 1 ? part : `step${step}.${part}`;
  return {
    x: fromTorch(golden.get(name("x")), IMAGE).data,
    target: fromTorch(golden.get(name("target")), IMAGE).data,
    t: golden.get(name("t")).data,
  };
}

async function* verifyPasses(
  gpu: Gpu,
  golden: GoldenFile,
  network: UNet,
): AsyncGenerator<CaseResult> {
  const weights = recordedWeights(gpu, network, golden);
  const grads = createArena(gpu, "gradients", network);
  const { capture, out } = captureStep(gpu, golden, network, weights, grads);
  const program = await capture.plan();
  program.run(stepInputs(golden, 1));

  const forward = new Comparison("forward", familyOf(golden), "unet");
  const expected = golden.get("out");
  const [error, size] = golden.manifest.out_f32_vs_f64 as [number, number];
  const actual = toTorch(await program.readF32(out), expected.shape, IMAGE);
  forward.check("out", actual, expected.data, budgetOf(error, size));
  yield forward.result();

  const gradients = { case: "gradients", family: familyOf(golden), op: "unet" };
  yield* replay(gradients, () => verifyGradients(gpu, golden, network, grads));
  program.destroy();
  for (const arena of [weights, grads]) arena.destroy(gpu);
}

async function verifyGradients(
  gpu: Gpu,
  golden: GoldenFile,
  network: UNet,
  grads: Arena,
): Promise<CaseResult> {
  const gradients = new Comparison("gradients", familyOf(golden), "unet");
  const zero = zeroGradients(golden);
  const own = await readByName(gpu, grads);
  for (const entry of parameters(network)) {
    const { pytorchName } = entry;
    const [e, s] = perTensor(golden, pytorchName).grad_f32_vs_f64 as [number, number];
    const budget = zero.has(pytorchName)
      ? Math.max(ZERO_GRADIENT_BUDGET, budgetOf(e, s))
      : budgetOf(e, s);
    const recorded = golden.get(`grad/${pytorchName}`).data;
    const values = toPytorch(entry, own.get(entry.name)!).data.subarray(0, recorded.length);
    gradients.check(`grad/${pytorchName}`, values, recorded, budget);
  }
  return gradients.result();
}

async function* verifyTraining(
  gpu: Gpu,
  golden: GoldenFile,
  network: UNet,
  training: RecordedTraining,
  { key, decay, first }: Average,
): AsyncGenerator<CaseResult> {
  if (training.optimizer !== RECORDED_OPTIMIZER) {
    throw new Unsupported(`optimizer ${training.optimizer} is not known`);
  }
  const names = ["weights", "gradients", "first moments", "second moments", "average"];
  const arenas = names.map((name) => createArena(gpu, name, network));
  const [params, grads, m, v, ema] = arenas as [Arena, Arena, Arena, Arena, Arena];
  writeArenas(gpu, [params, ema], recordedValues(network, golden, "param"));
  const { capture, loss } = captureStep(gpu, golden, network, params, grads);
  const { grad_clip: gradClip, losses, grad_norms_before_clip: norms } = training;
  const options = {
    ...OPTIMIZER,
    gradClip,
    ema: { decay, ...PLAIN_EMA },
    powerEma: NO_POWER_EMA,
    ...PLAIN_START,
  };
  const scalars = capture.input("scalars", OPTIMIZER_SCALARS_SHAPE);
  const { norm } = recordOptimizer(capture, { params, grads, m, v, ema, options, scalars });
  capture.keep(norm);
  const program = await capture.plan();
  const progress = new Comparison(`training.${key}`, familyOf(golden), "adam");
  const steps = losses.length;
  for (let step = 1; step <= steps; step++) {
    const expected = losses[step - 1]!, expectedNorm = norms[step - 1]!;
    program.run({
      ...stepInputs(golden, step),
      scalars: optimizerScalars(options, step - 1, steps),
    });
    // Weights differ by round-off from the second step on, so the losses do by a little more.
    progress.check(`loss${step}`, await program.read(loss), [expected], 1e-5 * expected);
    progress.check(`norm${step}`, await program.read(norm), [expectedNorm], 1e-4 * expectedNorm);
  }
  yield progress.result();
  const after = (key: string, arena: Arena, decay: number) =>
    replay(
      { case: key, family: familyOf(golden), op: decay > 0 ? "ema" : "adam" },
      () => verifyWeights(gpu, golden, network, arena, { key, decay, steps }),
    );
  if (first) yield* after(`after${steps}`, params, 0);
  yield* after(key, ema, decay);
  program.destroy();
  for (const arena of arenas) arena.destroy(gpu);
}

/**
 * Weights after the steps. Adam turns round-off of nearly zero gradients into whole steps, so up to
 * 0.5 % of a tensor's elements, at least one, may be off by the distance of such steps.
 *
 * `decay` is that of the average, which keeps a share of its start; 0 for the weights themselves.
 */
async function verifyWeights(
  gpu: Gpu,
  golden: GoldenFile,
  network: UNet,
  arena: Arena,
  { key, decay, steps }: { key: string; decay: number; steps: number },
): Promise<CaseResult> {
  const comparison = new Comparison(`${key}`, familyOf(golden), decay > 0 ? "ema" : "adam");
  const zero = zeroGradients(golden);
  const own = await readByName(gpu, arena);
  const { lr } = OPTIMIZER;
  const share = 1 - decay ** steps;
  for (const entry of parameters(network)) {
    const { pytorchName } = entry;
    const recorded = golden.get(`${key}/${pytorchName}`).data;
    const actual = toPytorch(entry, own.get(entry.name)!).data;
    const e = (perTensor(golden, pytorchName)[`${key}_maxabs_f32_vs_f64`] ?? 0) as number;
    const budget = budgetOf(e, maxAbs(recorded));
    const far = Math.max(budget, share * (zero.has(pytorchName) ? 3.3 : 2.2 * steps) * lr);
    const errors = Array.from(recorded, (value, i) => Math.abs(actual[i]! - value));
    if (errors.some(Number.isNaN)) comparison.note(pytorchName, Infinity, budget, false);
    errors.sort((a, b) => b - a);
    const allowed = zero.has(pytorchName)
      ? errors.length
      : Math.max(1, Math.floor(0.005 * errors.length));
    const worstFar = errors[0] ?? 0, worstNear = errors[allowed] ?? 0;
    comparison.note(pytorchName, worstFar, far, worstFar <= far);
    comparison.note(pytorchName, worstNear, budget, worstNear <= budget);
  }
  return comparison.result();
}

function perTensor(golden: GoldenFile, name: string): PerTensor {
  return (golden.manifest.per_tensor as Record<string, PerTensor>)[name] ?? {};
}

function zeroGradients(golden: GoldenFile): Set<string> {
  return new Set(golden.manifest.zero_gradient_params as string[]);
}

function parameters(network: UNet): PytorchParameter[] {
  return pytorchNames(network).filter((entry) => entry.kind === "parameter");
}

async function readByName(gpu: Gpu, arena: Arena) {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, tensor] of arena.tensors) values.set(name, await gpu.readF32(tensor));
  return values;
}
