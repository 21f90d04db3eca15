import { rmsNorm } from "../../../autograd/ops/rms_norm.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { operand } from "../../support/gradients.ts";

function reference(
  x: ArrayLike<number>,
  weight: ArrayLike<number> | undefined,
  { channels, factor, eps, silu }: {
    channels: number;
    factor: number;
    eps: number;
    silu: boolean;
  },
): Float64Array {
  return Float64Array.from(x, (value, i) => {
    const start = i - i % channels;
    let squares = 0;
    for (let k = start; k < start + channels; k++) squares += x[k]! ** 2;
    const z = value * factor / Math.max(Math.sqrt(squares), eps) * (weight?.[i % channels] ?? 1);
    return silu ? z / (1 + Math.exp(-z)) : z;
  });
}

for (const [shape, silu] of [[[3, 5], true], [[2, 3, 1, 12], false], [[40, 4], true]] as const) {
  Deno.test(`rmsNorm() and its gradients match the f64 formula for [${shape}]${silu ? " with SiLU" : ""}`, async () => {
    const channels = shape.at(-1)!, factor = Math.sqrt(channels);
    await checkGradients({
      operands: [operand(shape, 1), operand([channels], 2)],
      op: ([x, weight]) => rmsNorm(x!, { weight: weight!, silu }),
      reference: ([x, weight]) => reference(x!, weight, { channels, factor, eps: 1e-12, silu }),
    });
  });
}

Deno.test("rmsNorm() scales what is shorter than eps by a constant, and takes any length", async () => {
  const x = operand([4, 6], 3);
  const short = Float32Array.from(x.values, (v, i) => i < 12 ? 1e-3 * v : v);
  await checkGradients({
    operands: [{ shape: x.shape, values: short }],
    op: ([x]) => rmsNorm(x!, { eps: 0.1, factor: 1 }),
    reference: ([x]) => reference(x!, undefined, { channels: 6, factor: 1, eps: 0.1, silu: false }),
  });
});
