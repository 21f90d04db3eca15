import { Graph } from "../../../autograd/graph.ts";
import { binnedLinear } from "../../../autograd/ops/binned_linear.ts";
import { Capture } from "../../../device/capture.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

for (
  const { bins, levels, inputs, outputs, level } of [
    { bins: 3, levels: 10, inputs: 5, outputs: 7, level: [0, 9, 3, 4, 9, 6, 7] },
    { bins: 4, levels: 4, inputs: 8, outputs: 12, level: [3, 1, 1, 0] },
    { bins: 1, levels: 1000, inputs: 3, outputs: 4, level: [999] },
  ]
) {
  Deno.test(`binnedLinear() of ${bins} bins of ${levels} levels and its gradients match f64 sums`, async () => {
    const gpu = await testGpu();
    const n = level.length;
    const operands = [
      operand([n, inputs], 1),
      operand([bins, inputs, outputs], 2),
      operand([bins, outputs], 3),
    ];
    const levelRef = upload(gpu, [n], level, "u32");
    const { y, dy, grads } = await differentiate(
      gpu,
      operands,
      ([x, w, b]) => binnedLinear(x!, w!, b!, levelRef, levels),
    );
    const f = ([x, w, b]: ArrayLike<number>[]) =>
      Float64Array.from({ length: n * outputs }, (_, at) => {
        const i = Math.floor(at / outputs), j = at % outputs;
        const bin = Math.floor(level[i]! * bins / levels);
        let sum = b![bin * outputs + j]!;
        for (let k = 0; k < inputs; k++) {
          sum += x![i * inputs + k]! * w![(bin * inputs + k) * outputs + j]!;
        }
        return sum;
      });
    const values = operands.map(({ values }) => values);
    assertAllClose(y, f(values), { rtol: 1e-5, atol: 1e-5 });
    for (const [i, name] of ["dx", "dweight", "dbias"].entries()) {
      const expected = finiteDifference(f, values, i, dy, 1e-3);
      assertAllClose(grads[i]!, expected, { rtol: 1e-5, atol: 1e-5, name });
    }
  });
}

Deno.test("binnedLinear() refuses shapes that do not fit and levels that are not counted", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "test"));
  const tensor = (...shape: number[]) => graph.constant(gpu.tensor(shape));
  const [x, weight, bias] = [tensor(2, 4), tensor(3, 4, 5), tensor(3, 5)];
  const level = gpu.tensor([2], { dtype: "u32" });
  assertThrows(
    () => binnedLinear(x, weight, tensor(3, 4), level, 10),
    RangeError,
    "Cannot apply a binned linear layer: shapes must be x [N, in]",
  );
  assertThrows(
    () => binnedLinear(x, weight, bias, gpu.tensor([2]), 10),
    TypeError,
    "levels must be counted, u32, got f32",
  );
});
