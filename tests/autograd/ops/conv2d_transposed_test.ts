import { conv2dTransposed } from "../../../autograd/ops/conv2d_transposed.ts";
import { relu } from "../../../autograd/ops/relu.ts";
import { PORTABLE_FAMILIES, setVariantPolicy } from "../../../kernels/shared/variants.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { operand } from "../../support/gradients.ts";
import { restorePolicy, testGpu } from "../../support/gpu.ts";

for (
  const [n, h, w, ci, co, k, stride, padding] of [
    [2, 3, 2, 3, 5, 4, 2, 1],
    [1, 2, 3, 4, 8, 3, 1, 0],
    [1, 2, 2, 2, 3, 5, 3, 2],
  ] as const
) {
  Deno.test(`conv2dTransposed() and its gradients match f64, ${ci} to ${co} channels, ${k}x${k}, stride ${stride}, by every kernel`, async () => {
    const high = (h - 1) * stride + k - 2 * padding, wide = (w - 1) * stride + k - 2 * padding;
    const gpu = await testGpu();
    for (const forced of PORTABLE_FAMILIES) {
      setVariantPolicy(gpu, { forced });
      await checkGradients({
        sizes: [gpu.subgroupSize],
        operands: [operand([n, h, w, ci], 1), operand([k, k, co, ci], 2), operand([co], 3)],
        op: ([x, weight, bias]) =>
          conv2dTransposed(x!, weight!, { bias: bias!, stride, padding: [padding, padding] }),
        reference: ([x, weight, bias]) => {
          const y = Float64Array.from({ length: n * high * wide * co }, (_, i) => bias![i % co]!);
          x!.forEach((value, at) => {
            const c = at % ci, column = Math.floor(at / ci) % w;
            const line = Math.floor(at / ci / w) % h, image = Math.floor(at / ci / w / h);
            for (let ky = 0; ky < k; ky++) {
              for (let kx = 0; kx < k; kx++) {
                const oy = line * stride + ky - padding, ox = column * stride + kx - padding;
                if (oy < 0 || oy >= high || ox < 0 || ox >= wide) continue;
                for (let o = 0; o < co; o++) {
                  y[((image * high + oy) * wide + ox) * co + o]! += value *
                    weight![((ky * k + kx) * co + o) * ci + c]!;
                }
              }
            }
          });
          return y;
        },
      });
    }
    restorePolicy(gpu);
  });
}

Deno.test("relu() passes gradients where its input is above 0", async () => {
  await checkGradients({
    operands: [operand([3, 7], 4)],
    op: ([x]) => relu(x!),
    reference: ([x]) => x!.map((value) => Math.max(value, 0)),
  });
});
