/**
 * Stages of Inception by naive loops in f64, with batch normalisation as a step of its own.
 *
 * @module
 */
import type { Branch, Stage } from "../../metrics/judges/features/inception_layers.ts";
import { BATCH_NORM_EPS } from "../../metrics/judges/features/inception_layers.ts";
import type { StateDict } from "../../metrics/judges/features/inception_weights.ts";
import { batchNormReference } from "./batch_norm.ts";
import { conv2dReference } from "./conv2d.ts";
import { pooledShape, poolReference } from "./pool.ts";

/** Channels-last images. */
export interface Images {
  readonly shape: readonly [n: number, h: number, w: number, c: number];
  readonly data: Float64Array;
}

/** Runs stages on images; weights are PyTorch's. */
export function stagesReference(state: StateDict, stages: readonly Stage[], x: Images): Images {
  for (const { branches } of stages) x = join(branches.map((branch) => run(state, branch, x)));
  return x;
}

function run(state: StateDict, branch: Branch, x: Images): Images {
  for (const step of branch) {
    switch (step.op) {
      case "conv":
        x = convolve(state, step.name, x, step.stride, step.padding);
        break;
      case "averagePool":
        x = pool(x, 1, 1, (values) => values.reduce((a, b) => a + b, 0) / values.length);
        break;
      case "maxPool":
        x = pool(x, step.stride, step.padding, (values) => Math.max(...values));
        break;
      case "split":
        x = join(step.branches.map((inner) => run(state, inner, x)));
        break;
    }
  }
  return x;
}

function convolve(
  state: StateDict,
  name: string,
  { shape: [n, h, w, ci], data }: Images,
  stride: number,
  [py, px]: readonly [number, number],
): Images {
  const { shape: [co = 0, , kh = 0, kw = 0], data: theirs } = state.get(`${name}.conv.weight`)!;
  const weight = new Float64Array(theirs.length);
  let from = 0;
  for (let o = 0; o < co; o++) {
    for (let i = 0; i < ci; i++) {
      for (let tap = 0; tap < kh * kw; tap++) weight[(tap * ci + i) * co + o] = theirs[from++]!;
    }
  }
  const oh = Math.floor((h + 2 * py - kh) / stride) + 1;
  const ow = Math.floor((w + 2 * px - kw) / stride) + 1;
  const sum = conv2dReference(
    { n, h, w, ci, co, kh, kw, stride, py, px, oh, ow },
    data,
    weight,
  );
  const norm = ["weight", "bias", "running_mean", "running_var"]
    .map((part) => state.get(`${name}.bn.${part}`)!.data);
  const y = batchNormReference([sum, ...norm], BATCH_NORM_EPS);
  return { shape: [n, oh, ow, co], data: y.map((value) => Math.max(value, 0)) };
}

function pool(
  { shape, data }: Images,
  stride: number,
  padding: number,
  f: (values: number[]) => number,
): Images {
  const window = {
    kernel: [3, 3],
    stride: [stride, stride],
    padding: [padding, padding],
  } as const;
  const pooled = pooledShape(shape, window) as [number, number, number, number];
  return { shape: pooled, data: poolReference(shape, data, window, f) };
}

function join(parts: readonly Images[]): Images {
  const [n, h, w] = parts[0]!.shape;
  const rows = Array.from(
    { length: n * h * w },
    (_, row) =>
      parts.flatMap(({ shape: [, , , c], data }) => [...data.subarray(row * c, row * c + c)]),
  );
  return { shape: [n, h, w, rows[0]!.length], data: Float64Array.from(rows.flat()) };
}
