import { normHuber } from "../../../autograd/ops/norm_huber.ts";
import { assertAllClose } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { differentiate } from "../../support/gradients.ts";

Deno.test("normHuber() and its gradient match f64, from no error to a large one", async () => {
  const values = [0, 1e-8, 0.3, 2, 50], size = 12, turn = 0.4;
  const { y, dy, grads } = await differentiate(
    await testGpu(),
    [{ shape: [5], values }],
    ([m]) => normHuber(m!, size, turn),
  );
  const root = (m: number) => Math.sqrt(size * m + turn ** 2);
  assertAllClose(y, values.map((m) => size * m / (root(m) + turn)), { rtol: 1e-5, atol: 1e-12 });
  assertAllClose(grads[0]!, values.map((m, i) => dy[i]! * size / 2 / root(m)), { rtol: 1e-5 });
});
