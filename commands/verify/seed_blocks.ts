/**
 * Blocks of the PyTorch U-Net as operator cases, under that code's parameter names.
 *
 * @module
 */
import type { Tensor } from "../../autograd/graph.ts";
import { attention } from "../../autograd/ops/attention.ts";
import { conv2d } from "../../autograd/ops/conv2d.ts";
import { groupNorm } from "../../autograd/ops/group_norm.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { silu } from "../../autograd/ops/silu.ts";
import { upsampleNearest2x } from "../../autograd/ops/upsample.ts";
import { CONV, IMAGE, type Layout, LINEAR } from "./layout.ts";
import { input, type OpCase, type OpRunner } from "./op_case.ts";

type Inputs = Readonly<Record<string, Tensor>>;

/** Layouts by rank: images and convolutions have four axes, linear weights two. */
function blockLayouts(entry: OpCase): Record<string, Layout> {
  const layouts: Record<string, Layout> = { x: IMAGE, out: IMAGE };
  for (const [name, shape] of Object.entries(entry.inputs)) {
    if (!name.startsWith("p.")) continue;
    if (shape.length === 4) layouts[name] = CONV;
    else if (shape.length === 2) layouts[name] = LINEAR;
  }
  return layouts;
}

function convolution(x: Tensor, inputs: Inputs, name: string, extra: Record<string, Tensor> = {}) {
  const weight = input(inputs, `${name}.weight`);
  const side = ((weight.shape[0] ?? 1) - 1) / 2;
  return conv2d(x, weight, {
    bias: input(inputs, `${name}.bias`),
    padding: [side, side],
    ...extra,
  });
}

function norm(x: Tensor, inputs: Inputs, name: string, entry: OpCase, withSilu: boolean): Tensor {
  const groups = entry.attrs.groups as number;
  return groupNorm(x, input(inputs, `${name}.weight`), input(inputs, `${name}.bias`), {
    groups,
    silu: withSilu,
  });
}

function attentionBlock(x: Tensor, inputs: Inputs, entry: OpCase, prefix: string): Tensor {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const normal = norm(x, inputs, `${prefix}group_norm`, entry, false);
  const tokens = (name: string) =>
    reshape(convolution(normal, inputs, `${prefix}${name}`), [n, h * w, c]);
  const mixed = attention(tokens("proj_q"), tokens("proj_k"), tokens("proj_v"), {
    heads: 1,
    scale: c ** -0.5,
  });
  return convolution(reshape(mixed, x.shape), inputs, `${prefix}proj`, { residual: x });
}

function residualBlock(inputs: Inputs, entry: OpCase): Tensor {
  const x = input(inputs, "x");
  const time = linear(
    silu(input(inputs, "temb")),
    input(inputs, "p.temb_proj.1.weight"),
    input(inputs, "p.temb_proj.1.bias"),
  );
  const first = convolution(norm(x, inputs, "p.block1.0", entry, true), inputs, "p.block1.2", {
    perImage: time,
  });
  const residual = inputs["p.shortcut.weight"] ? convolution(x, inputs, "p.shortcut") : x;
  const sum = convolution(norm(first, inputs, "p.block2.0", entry, true), inputs, "p.block2.3", {
    residual,
  });
  return entry.attrs.attn ? attentionBlock(sum, inputs, entry, "p.attn.") : sum;
}

/** Multi-head self-attention with PyTorch's joint projection, whose rows are query, key and value. */
function selfAttention(inputs: Inputs, entry: OpCase): Tensor {
  const x = input(inputs, "x");
  const projected = (part: number) =>
    linear(x, input(inputs, `in_proj_weight.${part}`), input(inputs, `in_proj_bias.${part}`));
  const mixed = attention(projected(0), projected(1), projected(2), {
    heads: entry.attrs.heads as number,
  });
  return linear(mixed, input(inputs, "out_proj_weight"), input(inputs, "out_proj_bias"));
}

/** Runners of the blocks. */
export const SEED_BLOCKS: Readonly<Record<string, OpRunner>> = {
  seed_AttnBlock: {
    layouts: blockLayouts,
    run: (inputs, entry) => attentionBlock(input(inputs, "x"), inputs, entry, "p."),
  },
  seed_ResBlock: { layouts: blockLayouts, run: residualBlock },
  seed_UpSample: {
    layouts: blockLayouts,
    run: (inputs) => convolution(upsampleNearest2x(input(inputs, "x")), inputs, "p.main"),
  },
  seed_TimeEmbedding: {
    layouts: () => ({ w1: LINEAR, w2: LINEAR }),
    run: (inputs) =>
      linear(
        silu(linear(input(inputs, "rows"), input(inputs, "w1"), input(inputs, "b1"))),
        input(inputs, "w2"),
        input(inputs, "b2"),
      ),
  },
  mha_self: {
    layouts: () => ({ in_proj_weight: LINEAR, out_proj_weight: LINEAR }),
    parts: { in_proj_weight: 3, in_proj_bias: 3 },
    run: selfAttention,
  },
};
