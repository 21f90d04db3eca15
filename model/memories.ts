/**
 * Keys and values that attention learns beside those of an image's pixels (Sukhbaatar et al. 2019, arXiv
 * 1907.01470), as lucidrains' networks have them.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { columns } from "../autograd/ops/columns.ts";
import { concat } from "../autograd/ops/concat.ts";
import { expand } from "../autograd/ops/expand.ts";
import { reshape } from "../autograd/ops/reshape.ts";
import { Parameter } from "../autograd/parameter.ts";
import { gaussian } from "./init.ts";
import { Module } from "./module.ts";
import { type PytorchParameter, rearrangedParameter } from "./names/pytorch.ts";

/** Heads of attention. */
export interface Heads {
  readonly heads: number;
  /** Of a head. */
  readonly channels: number;
}

/** Learned keys and values, which come before those of an image. */
export class Memories extends Module {
  /** Keys, then values, `[2, n, heads * d]`. */
  readonly weight: Parameter;

  constructor(readonly count: number, { heads, channels }: Heads) {
    super();
    this.weight = new Parameter([2, count, heads * channels], gaussian(1));
  }

  /** Tokens `[N, L, D]` to `[N, count + L, D]`: keys with `which` 0, values with 1. */
  before(tokens: Tensor, which: 0 | 1): Tensor {
    const [n = 0, length = 0, width = 0] = tokens.shape;
    const size = this.count * width;
    const own = columns(
      reshape(tokens.graph.parameter(this.weight), [1, 2 * size]),
      which * size,
      size,
    );
    const joined = concat(expand(own, [n, size]), reshape(tokens, [n, length * width]));
    return reshape(joined, [n, this.count + length, width]);
  }
}

/** The memories of full attention, there `[2, heads, n, d]`; of linear attention `[2, heads, d, n]`. */
export function memoryNames(
  name: string,
  [two = 2, count = 0, inner = 0]: readonly number[],
  theirs: string,
  { heads, full }: { readonly heads: number; readonly full: boolean },
): PytorchParameter {
  const depth = inner / heads;
  const shape = full ? [two, heads, count, depth] : [two, heads, depth, count];
  return rearrangedParameter(
    name,
    [two, count, inner],
    { name: theirs, shape },
    { sizes: shape, order: full ? [0, 2, 1, 3] : [0, 3, 1, 2] },
  );
}
