import { linearAttention, softmaxKeys } from "../../../autograd/ops/linear_attention.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { operand } from "../../support/gradients.ts";

for (const [b, s, d] of [[2, 5, 3], [1, 70, 8], [3, 33, 4]] as const) {
  Deno.test(`softmaxKeys() and its gradient match the f64 formula for [${b}, ${s}, ${d}]`, async () => {
    await checkGradients({
      operands: [operand([b, s, d], 1, 3)],
      op: ([x]) => softmaxKeys(x!),
      reference: ([x]) =>
        x!.map((value, i) => {
          const first = Math.floor(i / (s * d)) * s * d + i % d;
          let sum = 0;
          for (let key = 0; key < s; key++) sum += Math.exp(x![first + key * d]! - value);
          return 1 / sum;
        }),
    });
  });
}

for (const [b, l, s, heads, d, e] of [[2, 3, 5, 2, 3, 2], [1, 9, 7, 1, 4, 8]] as const) {
  Deno.test(`linearAttention() and its gradients match the f64 formula for ${heads} heads of ${d} and ${e}`, async () => {
    await checkGradients({
      operands: [
        operand([b, l, heads * d], 1),
        operand([b, s, heads * d], 2),
        operand([b, s, heads * e], 3),
      ],
      op: ([q, k, v]) => linearAttention(q!, k!, v!, { heads, scale: 0.7 }),
      reference: ([q, k, v]) =>
        Float64Array.from({ length: b * l * heads * e }, (_, i) => {
          const head = Math.floor(i % (heads * e) / e);
          const row = Math.floor(i / (heads * e)), image = Math.floor(row / l);
          let total = 0;
          for (let key = image * s; key < (image + 1) * s; key++) {
            for (let c = 0; c < d; c++) {
              total += 0.7 * q![row * heads * d + head * d + c]! *
                k![key * heads * d + head * d + c]! * v![key * heads * e + i % (heads * e)]!;
            }
          }
          return total;
        }),
    });
  });
}
