import { expand } from "../../../autograd/ops/expand.ts";
import { inverseRoot } from "../../../autograd/ops/inverse_root.ts";
import { standardize } from "../../../autograd/ops/standardize.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { operand } from "../../support/gradients.ts";

for (const shape of [[3, 3, 2, 5], [1, 1, 7, 4]] as const) {
  Deno.test(`standardize() and its gradient match the f64 formula for [${shape}]`, async () => {
    const outputs = shape[3], inputs = shape[0] * shape[1] * shape[2];
    await checkGradients({
      operands: [operand(shape, 1)],
      op: ([w]) => standardize(w!, 1e-5),
      reference: ([w]) =>
        w!.map((value, i) => {
          const own = Array.from({ length: inputs }, (_, k) => w![k * outputs + i % outputs]!);
          const mean = own.reduce((a, b) => a + b) / inputs;
          const variance = own.reduce((a, b) => a + (b - mean) ** 2, 0) / inputs;
          return (value - mean) / Math.sqrt(variance + 1e-5);
        }),
    });
  });
}

Deno.test("inverseRoot() and its gradient match the f64 formula on both sides of eps", async () => {
  await checkGradients({
    operands: [{ shape: [5], values: [0.001, 0.02, 0.3, 4, 500] }],
    op: ([x]) => inverseRoot(x!, 0.1),
    reference: ([x]) => x!.map((v) => 1 / Math.max(Math.sqrt(v), 0.1)),
  });
});

Deno.test("expand() repeats a tensor, and sums its gradient", async () => {
  await checkGradients({
    operands: [operand([1, 6], 4)],
    op: ([x]) => expand(x!, [3, 6]),
    reference: ([x]) => Float64Array.from({ length: 18 }, (_, i) => x![i % 6]!),
  });
});
