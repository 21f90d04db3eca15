/**
 * The family ops: each case is one operator with inputs, an upstream gradient, outputs and gradients.
 *
 * @module
 */
import { Graph, type Tensor } from "../../autograd/graph.ts";
import { attention } from "../../autograd/ops/attention.ts";
import { batchNormEval } from "../../autograd/ops/batch_norm.ts";
import { concat } from "../../autograd/ops/concat.ts";
import { conv2d } from "../../autograd/ops/conv2d.ts";
import { gelu } from "../../autograd/ops/gelu.ts";
import { groupNorm } from "../../autograd/ops/group_norm.ts";
import { layerNorm } from "../../autograd/ops/layer_norm.ts";
import { huberLoss, l1Loss, mseLoss, smoothL1Loss } from "../../autograd/ops/losses.ts";
import { bmm, linear } from "../../autograd/ops/matmul.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { avgPool2d, maxPool2d } from "../../autograd/ops/pool.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { resizeBilinear } from "../../autograd/ops/resize_bilinear.ts";
import { scale } from "../../autograd/ops/scale.ts";
import { silu } from "../../autograd/ops/silu.ts";
import { softmax } from "../../autograd/ops/softmax.ts";
import { upsampleNearest2x } from "../../autograd/ops/upsample.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { FFT_CASES, FFT_RUNNERS } from "./fft.ts";
import {
  budgetOf,
  type CaseResult,
  Comparison,
  type GoldenFile,
  type Recorded,
  replay,
  unsupported,
} from "./golden.ts";
import { CONV, fromTorch, HEADS, IMAGE, type Layout, LINEAR, toTorch } from "./layout.ts";
import { input, type OpCase, type OpRunner } from "./op_case.ts";
import { OPTIMIZER_CASES } from "./optimizer.ts";
import { SEED_BLOCKS } from "./seed_blocks.ts";

const number = (entry: OpCase, name: string) => entry.attrs[name] as number;
const pair = (entry: OpCase, name: string) => entry.attrs[name] as [number, number];
const image = () => ({ x: IMAGE, out: IMAGE });

/** Heads of a `[B, L, heads, d]` tensor joined to `[B, L, heads * d]`. */
const joinHeads = (x: Tensor) => reshape(x, [x.shape[0]!, x.shape[1]!, x.shape[2]! * x.shape[3]!]);

const pool = (entry: OpCase) => {
  const kernel = number(entry, "kernel"), stride = number(entry, "stride");
  return { kernel, stride, padding: number(entry, "padding") };
};

const RUNNERS: Readonly<Record<string, OpRunner>> = {
  conv2d: {
    layouts: () => ({ x: IMAGE, weight: CONV, out: IMAGE }),
    run: (inputs, entry) =>
      conv2d(input(inputs, "x"), input(inputs, "weight"), {
        bias: inputs.bias,
        stride: number(entry, "stride"),
        padding: pair(entry, "padding"),
      }),
  },
  upsample_nearest2x: {
    layouts: image,
    run: (inputs) => upsampleNearest2x(input(inputs, "x")),
  },
  resize_bilinear: {
    layouts: image,
    run: (inputs, entry) => resizeBilinear(input(inputs, "x"), pair(entry, "size")),
  },
  maxpool2d: {
    layouts: image,
    run: (inputs, entry) => maxPool2d(input(inputs, "x"), pool(entry)),
  },
  avgpool2d: {
    layouts: image,
    run: (inputs, entry) =>
      avgPool2d(input(inputs, "x"), {
        ...pool(entry),
        countIncludePad: entry.attrs.count_include_pad === true,
      }),
  },
  groupnorm: {
    layouts: image,
    run: (inputs, entry) =>
      groupNorm(input(inputs, "x"), input(inputs, "weight"), input(inputs, "bias"), {
        groups: number(entry, "groups"),
        eps: number(entry, "eps"),
      }),
  },
  batchnorm_eval: {
    layouts: image,
    run: (inputs, entry) =>
      batchNormEval(input(inputs, "x"), {
        weight: input(inputs, "weight"),
        bias: input(inputs, "bias"),
        mean: input(inputs, "running_mean"),
        variance: input(inputs, "running_var"),
        eps: number(entry, "eps"),
      }),
  },
  layernorm: {
    run: (inputs, entry) =>
      layerNorm(input(inputs, "x"), input(inputs, "weight"), input(inputs, "bias"), {
        eps: number(entry, "eps"),
      }),
  },
  silu: { run: (inputs) => silu(input(inputs, "x")) },
  gelu: {
    run: (inputs, entry) =>
      gelu(input(inputs, "x"), {
        approximate: entry.attrs.approximate === "tanh" ? "tanh" : "none",
      }),
  },
  linear: {
    layouts: () => ({ weight: LINEAR }),
    run: (inputs) => linear(input(inputs, "x"), input(inputs, "weight"), input(inputs, "bias")),
  },
  bmm: {
    run: (inputs, entry) =>
      bmm(input(inputs, "a"), input(inputs, "b"), {
        transposeB: entry.attrs.transpose_b === true,
      }),
  },
  softmax: { run: (inputs) => softmax(input(inputs, "x")) },
  sdpa: {
    layouts: () => ({ q: HEADS, k: HEADS, v: HEADS, out: HEADS }),
    run: (inputs) => {
      const q = input(inputs, "q");
      const [batch = 0, length = 0, heads = 0, depth = 0] = q.shape;
      const y = attention(
        joinHeads(q),
        joinHeads(input(inputs, "k")),
        joinHeads(input(inputs, "v")),
        {
          heads,
        },
      );
      return reshape(y, [batch, length, heads, depth]);
    },
  },
  dropout_given_mask: {
    run: (inputs, entry) =>
      scale(mul(input(inputs, "x"), input(inputs, "mask")), 1 / (1 - number(entry, "p"))),
  },
  concat: {
    layouts: (entry) =>
      Object.values(entry.inputs)[0]?.length === 4 ? { a: IMAGE, b: IMAGE, out: IMAGE } : {},
    run: (inputs) => concat(input(inputs, "a"), input(inputs, "b")),
  },
  mse_loss: { run: (inputs) => mseLoss(input(inputs, "input"), input(inputs, "target")) },
  l1_loss: { run: (inputs) => l1Loss(input(inputs, "input"), input(inputs, "target")) },
  smooth_l1_loss: {
    run: (inputs, entry) =>
      smoothL1Loss(input(inputs, "input"), input(inputs, "target"), {
        beta: number(entry, "beta"),
      }),
  },
  huber_loss: {
    run: (inputs, entry) =>
      huberLoss(input(inputs, "input"), input(inputs, "target"), { delta: number(entry, "delta") }),
  },
  ...FFT_RUNNERS,
  ...SEED_BLOCKS,
};

/** Replays every case of the family. */
export async function* verifyOps(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  for (const entry of golden.manifest.cases as readonly OpCase[]) {
    const name = { case: entry.case, family: "ops", op: entry.op };
    const own = OPTIMIZER_CASES[entry.op] ?? FFT_CASES[entry.op];
    const runner = RUNNERS[entry.op];
    if (own) yield* replay(name, () => own(gpu, golden, entry));
    else if (runner) yield* replay(name, () => verifyOp(gpu, golden, entry, runner));
    else yield unsupported(name, `${entry.op} is not known`);
  }
}

async function verifyOp(
  gpu: Gpu,
  golden: GoldenFile,
  entry: OpCase,
  runner: OpRunner,
): Promise<CaseResult> {
  const layouts = runner.layouts?.(entry) ?? {};
  const capture = new Capture(gpu, entry.case);
  const graph = new Graph(capture);
  const upload = (recorded: Recorded, label: string, layout: Layout) => {
    const { data, shape } = fromTorch(recorded, layout);
    return gpu.tensor(shape, { data, label });
  };
  const inputs: Record<string, Tensor> = {};
  for (const name of Object.keys(entry.inputs)) {
    const recorded = golden.get(`${entry.case}/in.${name}`);
    for (const [key, part] of splitFirstAxis(name, recorded, runner.parts?.[name])) {
      inputs[key] = graph.variable(upload(part, key, layouts[name] ?? null));
    }
  }
  const out = runner.run(inputs, entry);
  const gout = upload(golden.get(`${entry.case}/gout`), "gout", layouts.out ?? null);
  const grads = graph.backward(out, gout);
  capture.keep(out.ref);
  for (const grad of grads.values()) capture.keep(grad);
  const program = await capture.plan();
  program.run();

  /** Our result for a recorded tensor, its parts joined, in PyTorch's layout. */
  const result = async (key: string, shape: readonly number[]) => {
    const name = key.replace("grad.", "");
    const count = runner.parts?.[name] ?? 1;
    const joined: number[] = [];
    for (let part = 0; part < count; part++) {
      const tensor = inputs[count === 1 ? name : `${name}.${part}`];
      const ref = key === "out" ? out.ref : tensor && grads.get(tensor);
      if (!ref) return undefined;
      const partShape = [(shape[0] ?? 1) / count, ...shape.slice(1)];
      const torch = toTorch(await program.readF32(ref), partShape, layouts[name] ?? null);
      joined.push(...Array.from(torch));
    }
    return joined;
  };
  const comparison = new Comparison(entry.case, "ops", entry.op);
  for (const [key, [error, size]] of Object.entries(entry.f32_vs_f64_maxabs_and_scale ?? {})) {
    const expected = golden.get(`${entry.case}/${key}`);
    const actual = await result(key, expected.shape);
    // Exactly zero in exact arithmetic: what is recorded is round-off, so compare absolutely.
    const budget = size < 1e-10 ? Math.max(1e-4, budgetOf(error, size)) : budgetOf(error, size);
    comparison.check(key, actual ?? [], expected.data, budget);
  }
  program.destroy();
  for (const tensor of [...Object.values(inputs).map(({ ref }) => ref), gout]) {
    gpu.destroyTensor(tensor);
  }
  return comparison.result();
}

/** A recorded tensor in `count` equal parts with numbered names, or whole under its own. */
function* splitFirstAxis(
  name: string,
  { shape, data }: Recorded,
  count = 1,
): Generator<[string, Recorded]> {
  if (count === 1) return yield [name, { shape, data }];
  const size = data.length / count;
  for (let part = 0; part < count; part++) {
    yield [`${name}.${part}`, {
      shape: [shape[0]! / count, ...shape.slice(1)],
      data: Array.from(data).slice(part * size, (part + 1) * size),
    }];
  }
}
