/**
 * Ops over tensors that are stored as f16: values and gradients against f64, within the roundings that are
 * stored on the way. Between them everything is f32.
 */
import type { Graph, Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { attention } from "../../autograd/ops/attention.ts";
import { cast } from "../../autograd/ops/cast.ts";
import { concat } from "../../autograd/ops/concat.ts";
import { conv2d } from "../../autograd/ops/conv2d.ts";
import { groupNorm } from "../../autograd/ops/group_norm.ts";
import { layerNorm } from "../../autograd/ops/layer_norm.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { upsampleNearest2x } from "../../autograd/ops/upsample.ts";
import { conv2dShape } from "../../kernels/conv2d/shape.ts";
import {
  PORTABLE_FAMILIES,
  setVariantPolicy,
  type VariantFamily,
  variantPolicy,
} from "../../kernels/shared/variants.ts";
import { attentionReference } from "../reference/attention.ts";
import { conv2dReference } from "../reference/conv2d.ts";
import { normaliseReference } from "../reference/normalise.ts";
import { assertEquals } from "../support/assert.ts";
import { checkGradients } from "../support/check_gradients.ts";
import { halves, type Operand, operand } from "../support/gradients.ts";
import { testGpu } from "../support/gpu.ts";

/** Half a unit in the last place of f16, of values up to the largest. */
const ULP = 2 ** -11;

interface HalfCase {
  readonly operands: readonly Operand[];
  readonly op: (inputs: Tensor[], graph: Graph) => Tensor;
  readonly reference: (inputs: Float64Array[]) => ArrayLike<number>;
  /** Roundings of the largest values that add up. */
  readonly roundings: number;
  readonly families?: readonly VariantFamily[];
}

const SHAPE = conv2dShape([2, 4, 4, 4], { shape: [3, 3, 4, 8] } as never, { padding: [1, 1] });

const normalised = (
  [images, pixels, channels, groups]: readonly [number, number, number, number],
  silu: boolean,
) =>
([x, weight, bias]: Float64Array[]) =>
  normaliseReference({
    ...{ x: x!, weight: weight!, bias: bias!, dy: x!, images, pixels, channels, groups, silu },
    eps: 1e-5,
  }).y;

const CASES: Readonly<Record<string, HalfCase>> = {
  "conv2d() with a bias, a vector an image and a residual": {
    operands: [
      halves([2, 4, 4, 4], 1),
      // Of the weight f16 keeps 11 bits, so those that it can say are compared.
      { ...halves([3, 3, 4, 8], 2, 0.3), dtype: "f32" },
      operand([8], 3),
      operand([2, 8], 4),
      halves([2, 4, 4, 8], 5),
    ],
    op: ([x, weight, bias, perImage, residual]) =>
      conv2d(x!, weight!, {
        ...{ padding: [1, 1], bias: bias!, perImage: perImage!, residual: residual! },
      }),
    reference: ([x, weight, bias, perImage, residual]) =>
      conv2dReference(SHAPE, x!, weight!).map((value, i) =>
        value + bias![i % 8]! + perImage![Math.floor(i / 128) * 8 + i % 8]! + residual![i]!
      ),
    roundings: 1,
    families: PORTABLE_FAMILIES,
  },
  "linear()": {
    operands: [halves([12, 8], 1), { ...halves([8, 20], 2, 0.3), dtype: "f32" }, operand([20], 3)],
    op: ([x, weight, bias]) => linear(x!, weight!, bias!),
    reference: ([x, weight, bias]) =>
      Float64Array.from({ length: 240 }, (_, i) => {
        let sum = bias![i % 20]!;
        for (let k = 0; k < 8; k++) {
          sum += x![Math.floor(i / 20) * 8 + k]! * weight![k * 20 + i % 20]!;
        }
        return sum;
      }),
    roundings: 1,
    families: PORTABLE_FAMILIES,
  },
  "groupNorm() with SiLU": {
    operands: [halves([2, 3, 3, 8], 1, 2), operand([8], 2), operand([8], 3)],
    op: ([x, weight, bias]) => groupNorm(x!, weight!, bias!, { groups: 2, silu: true }),
    reference: normalised([2, 9, 8, 2], true),
    roundings: 1,
  },
  "layerNorm()": {
    operands: [halves([6, 12], 1, 2), operand([12], 2), operand([12], 3)],
    op: ([x, weight, bias]) => layerNorm(x!, weight!, bias!),
    reference: normalised([6, 1, 12, 1], false),
    roundings: 1,
  },
  "attention()": {
    operands: [halves([2, 6, 8], 1), halves([2, 6, 8], 2), halves([2, 6, 8], 3)],
    op: ([q, k, v]) => attention(q!, k!, v!, { heads: 2 }),
    reference: ([q, k, v]) =>
      attentionReference({
        ...{ q: q!, k: k!, v: v!, dy: q!, batch: 2, queries: 6, keys: 6, heads: 2, depth: 4 },
        scale: 0.5,
      }).y,
    // Scores, probabilities, their gradients and what is made of them.
    roundings: 5,
  },
  "upsample, concat, add of a vector and of another tensor": {
    operands: [halves([2, 2, 2, 4], 1), halves([2, 4, 4, 4], 2), operand([8], 3)],
    op: ([a, b, c]) => {
      const both = concat(upsampleNearest2x(a!), b!);
      return add(add(both, c!), both);
    },
    reference: ([a, b, c]) =>
      Float64Array.from({ length: 256 }, (_, i) => {
        const channel = i % 8,
          pixel = Math.floor(i / 8),
          x = pixel % 4,
          y = Math.floor(pixel / 4) % 4;
        const image = Math.floor(pixel / 16);
        const at = ((image * 2 + Math.floor(y / 2)) * 2 + Math.floor(x / 2)) * 4 + channel;
        return 2 * (channel < 4 ? a![at]! : b![pixel * 4 + channel - 4]!) + c![channel]!;
      }),
    roundings: 3,
  },
};

for (const [name, { families, roundings, ...check }] of Object.entries(CASES)) {
  for (const forced of families ?? [undefined]) {
    Deno.test(`${name} of halves is f64's, rounded${forced ? ` (${forced})` : ""}`, async () => {
      const gpu = await testGpu();
      if (!gpu.has("shader-f16")) return;
      const before = variantPolicy(gpu);
      if (forced) setVariantPolicy(gpu, { forced });
      try {
        const types: string[] = [];
        const op = (inputs: Tensor[], graph: Graph) => {
          const y = check.op(inputs, graph);
          types.push(y.ref.dtype);
          return y;
        };
        const { subgroupSize } = gpu;
        await checkGradients({ ...check, op, atol: roundings * ULP, sizes: [subgroupSize || 8] });
        assertEquals(types, ["f16"]);
      } finally {
        setVariantPolicy(gpu, before);
      }
    });
  }
}

Deno.test("cast() rounds, and its gradient has the type of its input", async () => {
  if (!(await testGpu()).has("shader-f16")) return;
  await checkGradients({
    operands: [operand([3, 5], 1)],
    op: ([x]) => cast(cast(x!, "f16"), "f32"),
    reference: ([x]) => x!,
    atol: ULP,
    sizes: [8],
  });
});
