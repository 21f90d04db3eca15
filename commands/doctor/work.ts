/**
 * Work whose result is known: numbers beside those of the host, latency of reads, timestamps, and
 * training.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { silu } from "../../autograd/ops/silu.ts";
import type { Config } from "../../config/schema.ts";
import { loadImages } from "../../data/registry.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { formatDuration } from "../../support/terminal.ts";
import { networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import type { Finding } from "./finding.ts";

/** Rows, inner and outer width of the product; no multiple of a vector or of a tile. */
const [ROWS, INNER, OUTER] = [37, 51, 43];

/** Error allowed, relative to the largest value: f32 makes about 1e-6 of it. */
const TOLERANCE = 1e-4;

const DRIVER = "update the driver; deno task verify says which operations are wrong";

/** Differentiates y = silu(x W) on the GPU and on the host. */
export async function examineNumbers(gpu: Gpu): Promise<Finding[]> {
  const x = numbers(ROWS * INNER, 1), w = numbers(INNER * OUTER, 2), dy = numbers(ROWS * OUTER, 3);
  const tensors = [
    gpu.tensor([ROWS, INNER], { data: x, label: "x" }),
    gpu.tensor([INNER, OUTER], { data: w, label: "w" }),
    gpu.tensor([ROWS, OUTER], { data: dy, label: "dy" }),
  ] as const;
  const capture = new Capture(gpu, "check of numbers");
  const graph = new Graph(capture);
  const weight = graph.variable(tensors[1]);
  const y = silu(linear(graph.variable(tensors[0]), weight));
  const dw = capture.keep(graph.backward(y, tensors[2]).get(weight)!);
  capture.keep(y.ref);
  const program = await capture.plan();
  program.run();
  const expected = onHost(x, w, dy);
  const worst = Math.max(
    relativeError(await program.readF32(y.ref), expected.y),
    relativeError(await program.readF32(dw), expected.dw),
  );
  const findings = [
    numbersFinding(worst),
    await examineReads(gpu, program, y.ref),
    await examineTimestamps(gpu, program),
  ];
  program.destroy();
  for (const tensor of tensors) gpu.destroyTensor(tensor);
  return findings;
}

function numbersFinding(worst: number): Finding {
  const right = worst <= TOLERANCE;
  return {
    ...{ area: "gpu", name: "numbers", status: right ? "ok" : "fail", data: { worst } },
    text: `a product, SiLU and its gradient are ${right ? "right" : "wrong"}: worst error ` +
      `${worst.toExponential(1)} of the largest value`,
    ...(right ? {} : { remedy: DRIVER }),
  };
}

/** Reproducible values in [-1, 1). */
function numbers(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed * 2654435761 >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** y = silu(x W) and dW of sum(dy y), in f64. */
export function onHost(x: Float32Array, w: Float32Array, dy: Float32Array) {
  const y = new Float64Array(ROWS * OUTER), dw = new Float64Array(INNER * OUTER);
  for (let r = 0; r < ROWS; r++) {
    for (let c = 0; c < OUTER; c++) {
      let sum = 0;
      for (let k = 0; k < INNER; k++) sum += x[r * INNER + k]! * w[k * OUTER + c]!;
      const s = 1 / (1 + Math.exp(-sum));
      y[r * OUTER + c] = sum * s;
      const slope = dy[r * OUTER + c]! * s * (1 + sum * (1 - s));
      for (let k = 0; k < INNER; k++) dw[k * OUTER + c]! += x[r * INNER + k]! * slope;
    }
  }
  return { y, dw };
}

/** Largest difference over the largest value; Infinity where anything is not finite. */
function relativeError(actual: Float32Array, expected: Float64Array): number {
  let difference = 0, largest = 0;
  for (const [i, value] of expected.entries()) {
    if (!Number.isFinite(actual[i])) return Infinity;
    difference = Math.max(difference, Math.abs(actual[i]! - value));
    largest = Math.max(largest, Math.abs(value));
  }
  return difference / largest;
}

async function examineReads(gpu: Gpu, program: Program, tensor: TensorRef): Promise<Finding> {
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    program.run();
    await program.read(tensor);
    times.push(performance.now() - start);
  }
  const ms = times.sort((a, b) => a - b)[7]!;
  const way = gpu.blockingReads ? "without" : "with";
  return {
    ...{ area: "gpu", name: "reading back", status: "ok" },
    text: `${ms.toFixed(2)} ms for a small program and its result, ${way} the runtime's own wait`,
    data: { ms, blocking: gpu.blockingReads },
  };
}

async function examineTimestamps(gpu: Gpu, program: Program): Promise<Finding> {
  const name = "timestamps", area = "gpu";
  if (!gpu.has("timestamp-query")) {
    return { area, name, status: "note", text: "none; profiles measure by waiting" };
  }
  const { kernels, wallMs } = await program.profile();
  const ms = kernels.reduce((sum, kernel) => sum + kernel.ms, 0);
  const sound = ms > 0 && ms <= wallMs;
  return {
    ...{ area, name, status: sound ? "ok" : "warn", data: { ms, wallMs } },
    text: `${ms.toFixed(3)} ms of kernels in ${wallMs.toFixed(3)} ms${
      sound ? "" : ", which cannot be"
    }`,
    ...(sound ? {} : { remedy: "do not trust deno task profile here; update the driver" }),
  };
}

/** Steps of the run that must learn, and of which the first and last losses are compared. */
const STEPS = 40, COMPARED = 10;

/** Trains a tiny network on images that need no files; its loss must fall. */
export async function examineTraining(gpu: Gpu, smoke: Config): Promise<Finding> {
  const config: Config = {
    ...smoke,
    optim: { ...smoke.optim, lr: 2e-3 },
    train: { ...smoke.train, steps: STEPS, batchSize: 16, logEvery: STEPS },
  };
  const trainer = await openTrainer(gpu, config);
  const start = performance.now();
  for (let step = 0; step < STEPS; step++) trainer.step(step);
  const losses = await trainer.readLosses(0, STEPS);
  const ms = (performance.now() - start) / STEPS;
  trainer.destroy();
  const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
  const first = mean(losses.slice(0, COMPARED)), last = mean(losses.slice(-COMPARED));
  const learns = losses.every(Number.isFinite) && last < first;
  return {
    ...{ area: "training", name: "a tiny network", data: { losses, ms } },
    status: learns ? "ok" : "fail",
    text: `the loss ${learns ? "falls" : "does not fall"} from ${first.toFixed(3)} to ${
      last.toFixed(3)
    } in ${STEPS} steps of ${ms.toFixed(1)} ms`,
    ...(learns ? {} : { remedy: DRIVER }),
  };
}

/** Times a config's step on images that need no files. */
export async function examineSpeed(gpu: Gpu, config: Config, path: string): Promise<Finding> {
  const trainer = await openTrainer(gpu, config);
  const [warm, measured] = [2, 3];
  let start = 0;
  for (let step = 0; step < warm + measured; step++) {
    if (step === warm) start = performance.now();
    trainer.step(step);
    await gpu.finish();
  }
  const ms = (performance.now() - start) / measured;
  trainer.destroy();
  const { steps, batchSize } = config.train;
  return {
    ...{ area: "training", name: path, status: "ok", data: { ms, batchSize, steps } },
    text: `${ms.toFixed(0)} ms a step of ${batchSize} images; its ${
      steps.toLocaleString("en-US")
    } steps take about ${formatDuration(ms * steps / 1000)}`,
  };
}

async function openTrainer(gpu: Gpu, config: Config): Promise<Trainer> {
  const images = await loadImages(config.data, "train", () => {});
  const trainer = await Trainer.create(gpu, config, networkOf(config), images);
  trainer.state.initialize(config.run.seed);
  return trainer;
}
