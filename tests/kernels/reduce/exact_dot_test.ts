import { mul } from "../../../autograd/ops/mul.ts";
import { exactDot } from "../../../kernels/reduce/exact_dot.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

Deno.test("exactDot() rounds a sum once, though its terms cancel", async () => {
  const gpu = await testGpu();
  for (const length of [1, 17, 1000, 100_003]) {
    const a = randomValues(length, 1), b = randomValues(length, 2);
    let sum = 0;
    for (let i = 0; i < length; i++) sum += a[i]! * b[i]!;
    // The last term takes nearly all of it back.
    if (length > 1) {
      sum -= a[length - 1]! * b[length - 1]!;
      a[length - 1] = 1;
      b[length - 1] = -sum * (1 + 1e-5);
      sum += b[length - 1]!;
    }
    const { y } = await compute(gpu, (capture) => ({
      y: exactDot(capture, upload(gpu, [length], a), upload(gpu, [length], b)),
    }));
    assertEquals(y.length, 1);
    assertAllClose(y, [sum], { rtol: 2 ** -23, atol: 0, name: `${length} terms` });
  }
  await compute(gpu, (capture) => {
    const [a, b] = [upload(gpu, [3], randomValues(3, 1)), upload(gpu, [2], randomValues(2, 1))];
    assertThrows(() => exactDot(capture, a, b), RangeError, "got [3] and [2]");
    return { y: exactDot(capture, a, a) };
  });
});

Deno.test("mul() has the gradient of a single number on either side", async () => {
  const gpu = await testGpu();
  for (const shape of [[], [1], [1, 1]]) {
    const x = operand([3, 5, 7], 1), factor = operand(shape, 2);
    const run = (swapped: boolean) =>
      differentiate(
        gpu,
        [x, factor],
        ([x, factor]) => swapped ? mul(factor!, x!) : mul(x!, factor!),
      );
    for (const swapped of [false, true]) {
      const { dy, grads: [dx, dFactor] } = await run(swapped);
      assertAllClose(dx!, Array.from(dy, (g) => g * factor.values[0]!), { rtol: 1e-6, atol: 0 });
      const sum = dy.reduce((sum, g, i) => sum + g * x.values[i]!, 0);
      assert(Math.abs(sum) > 0.01, `the sum is ${sum}`);
      assertAllClose(dFactor!, [sum], { rtol: 2 ** -23, atol: 0 });
    }
  }
});
