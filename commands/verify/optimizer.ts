/**
 * The cases of the family ops that update tensors in place: gradient clipping, Adam, AdamW and EMA.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { ADAM_SCALARS, adamScalars, adamStep } from "../../kernels/optim/adam.ts";
import { emaScalars, emaStep } from "../../kernels/optim/ema.ts";
import { gradNorm } from "../../kernels/optim/grad_norm.ts";
import { type CaseResult, Comparison, formulaBudget, type GoldenFile, maxAbs } from "./golden.ts";
import type { OpCase } from "./op_case.ts";

type OptimizerCase = (gpu: Gpu, golden: GoldenFile, entry: OpCase) => Promise<CaseResult>;

function upload(gpu: Gpu, golden: GoldenFile, name: string): TensorRef {
  const data = golden.f32(name);
  return gpu.tensor([data.length], { data, label: name });
}

/** Recorded tensors `prefix1`, `prefix2`, ... */
function countOf(golden: GoldenFile, prefix: string): number {
  let count = 0;
  while (golden.has(`${prefix}${count + 1}`)) count++;
  return count;
}

function check(golden: GoldenFile, comparison: Comparison, entry: OpCase) {
  return (key: string, actual: ArrayLike<number>) => {
    const expected = golden.get(`${entry.case}/${key}`).data;
    comparison.check(key, actual, expected, formulaBudget(maxAbs(expected)));
  };
}

async function clip(gpu: Gpu, golden: GoldenFile, entry: OpCase): Promise<CaseResult> {
  const comparison = new Comparison(entry.case, "ops", entry.op);
  const compare = check(golden, comparison, entry);
  const names = Object.keys(entry.inputs);
  const capture = new Capture(gpu, entry.case);
  const grads = names.map((name) => upload(gpu, golden, `${entry.case}/in.${name}`));
  const { norm, coefficient } = gradNorm(capture, grads, entry.attrs.max_norm as number);
  capture.keep(norm);
  capture.keep(coefficient);
  const program = await capture.plan();
  program.run();
  compare("out.total_norm", await program.readF32(norm));
  const [factor = NaN] = await program.readF32(coefficient);
  for (const [i, name] of names.entries()) {
    compare(`out.${name}`, (await gpu.readF32(grads[i]!)).map((g) => g * factor));
  }
  program.destroy();
  return comparison.result();
}

async function adam(gpu: Gpu, golden: GoldenFile, entry: OpCase): Promise<CaseResult> {
  const comparison = new Comparison(entry.case, "ops", entry.op);
  const compare = check(golden, comparison, entry);
  const { attrs } = entry;
  const options = {
    decoupled: entry.op === "AdamW",
    betas: (attrs.betas ?? [0.9, 0.999]) as [number, number],
    eps: (attrs.eps ?? 1e-8) as number,
    weightDecay: (attrs.weight_decay ?? 0) as number,
  };
  const param = upload(gpu, golden, `${entry.case}/in.p0`);
  const capture = new Capture(gpu, entry.case);
  const grad = capture.input("grad", param.shape);
  const scalars = capture.input("scalars", [ADAM_SCALARS]);
  const m = gpu.tensor(param.shape), v = gpu.tensor(param.shape);
  const one = gpu.tensor([1], { data: new Float32Array([1]) });
  adamStep(capture, { param, grad, m, v }, scalars, one, options);
  const program = await capture.plan();
  for (let step = 1; step <= (attrs.steps as number); step++) {
    program.run({
      grad: golden.f32(`${entry.case}/in.g${step}`),
      scalars: adamScalars(options, { step, lr: attrs.lr as number }),
    });
    compare(`out.p${step}`, await gpu.readF32(param));
    compare(`out.exp_avg${step}`, await gpu.readF32(m));
    compare(`out.exp_avg_sq${step}`, await gpu.readF32(v));
  }
  program.destroy();
  return comparison.result();
}

async function ema(gpu: Gpu, golden: GoldenFile, entry: OpCase): Promise<CaseResult> {
  const comparison = new Comparison(entry.case, "ops", entry.op);
  const compare = check(golden, comparison, entry);
  const average = upload(gpu, golden, `${entry.case}/in.ema0`);
  const capture = new Capture(gpu, entry.case);
  const source = capture.input("source", average.shape);
  const scalars = capture.input("scalars", [2]);
  emaStep(capture, average, source, scalars);
  const program = await capture.plan();
  const steps = countOf(golden, `${entry.case}/in.src`);
  for (let step = 1; step <= steps; step++) {
    program.run({
      source: golden.f32(`${entry.case}/in.src${step}`),
      scalars: emaScalars(entry.attrs.decay as number),
    });
    compare(`out.ema${step}`, await gpu.readF32(average));
  }
  program.destroy();
  return comparison.result();
}

/** Runners by operator name. */
export const OPTIMIZER_CASES: Readonly<Record<string, OptimizerCase>> = {
  clip_grad_norm: clip,
  Adam: adam,
  AdamW: adam,
  ema,
};
