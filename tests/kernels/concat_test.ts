import { concat } from "../../autograd/ops/concat.ts";
import { concatForward, sliceLast } from "../../kernels/concat.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { compute, testGpu, upload } from "../support/gpu.ts";
import { differentiate, operand } from "../support/gradients.ts";

for (
  const [outer, ca, cb] of [[[], 1, 1], [[3], 7, 2], [[2, 3, 3], 4, 8], [[5, 2], 4, 3]] as const
) {
  Deno.test(`concat() and its gradients match loops for [${outer}] of ${ca} and ${cb}`, async () => {
    const a = operand([...outer, ca], 1), b = operand([...outer, cb], 2);
    const out = await differentiate(await testGpu(), [a, b], ([a, b]) => concat(a!, b!));
    assertEquals(out.shape, [...outer, ca + cb]);
    const expected: number[] = [], da: number[] = [], db: number[] = [];
    for (let row = 0; row < a.values.length / ca; row++) {
      for (let k = 0; k < ca + cb; k++) {
        expected.push(k < ca ? a.values[row * ca + k]! : b.values[row * cb + k - ca]!);
        (k < ca ? da : db).push(out.dy[row * (ca + cb) + k]!);
      }
    }
    assertEquals([...out.y], expected);
    assertEquals([...out.grads[0]!], da);
    assertEquals([...out.grads[1]!], db);
  });
}

Deno.test("concat() refuses operands that differ before the last axis", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const a = upload(gpu, [2, 2], [1, 2, 3, 4]), b = upload(gpu, [1, 2], [5, 6]);
    assertThrows(() => concatForward(capture, a, b), RangeError, "got [2, 2] and [1, 2]");
    assertThrows(() => sliceLast(capture, a, 1, 2), RangeError, "elements 1 to 3");
    return { y: sliceLast(capture, a, 1, 1) };
  });
});
