import { add } from "../../../autograd/ops/add.ts";
import { concat } from "../../../autograd/ops/concat.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { concatForward, splitLast } from "../../../kernels/layout/concat.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

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

for (const [outer, ca, cb] of [[[3], 7, 2], [[2, 3, 3], 4, 8]] as const) {
  Deno.test(`splitLast() gives either half of [${outer}] of ${ca} and ${cb}, or both, with what is added`, async () => {
    const gpu = await testGpu();
    const rows = outer.reduce((product: number, n) => product * n, 1);
    const values = randomValues(rows * (ca + cb), 1);
    const plus = { a: randomValues(rows * ca, 2), b: randomValues(rows * cb, 3) };
    const half = (name: "a" | "b", added: boolean) => {
      const [width, start] = name === "a" ? [ca, 0] : [cb, ca];
      return Array.from({ length: rows * width }, (_, e) => {
        const value = values[Math.floor(e / width) * (ca + cb) + start + e % width]!;
        return Math.fround(value + (added ? plus[name][e]! : 0));
      });
    };
    for (const wanted of [["a"], ["b"], ["a", "b"]] as const) {
      for (const added of [[], ["a"], ["b"], ["a", "b"]] as const) {
        const has = (list: readonly string[], name: string) => list.includes(name);
        const halves = await compute<string>(gpu, (capture) => {
          const choose = (name: "a" | "b", width: number) =>
            has(wanted, name)
              ? {
                plus: has(added, name) ? upload(gpu, [...outer, width], plus[name]) : undefined,
              }
              : null;
          const x = upload(gpu, [...outer, ca + cb], values);
          const { a, b } = splitLast(capture, x, ca, { a: choose("a", ca), b: choose("b", cb) });
          assertEquals([a !== null, b !== null], [has(wanted, "a"), has(wanted, "b")]);
          return { ...(a ? { a } : {}), ...(b ? { b } : {}) };
        });
        for (const name of wanted) {
          assertEquals([...halves[name]!], half(name, has(added, name)), `${name} of ${wanted}`);
        }
      }
    }
  });
}

Deno.test("concat() adds to what others contributed to its inputs' gradients", async () => {
  const a = operand([3, 4], 1), b = operand([3, 8], 2), factor = operand([3, 12], 3);
  const out = await differentiate(await testGpu(), [a, b, factor], ([a, b, factor]) => {
    const once = mul(concat(a!, b!), factor!);
    return add(once, concat(a!, b!));
  });
  const factors = (i: number, width: number, start: number) => {
    const at = Math.floor(i / width) * 12 + start + i % width;
    return out.dy[at]! * (factor.values[at]! + 1);
  };
  assertAllClose(out.grads[0]!, Array.from({ length: 12 }, (_, i) => factors(i, 4, 0)));
  assertAllClose(out.grads[1]!, Array.from({ length: 24 }, (_, i) => factors(i, 8, 4)));
});

Deno.test("concat() refuses operands that differ before the last axis", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const a = upload(gpu, [2, 2], [1, 2, 3, 4]), b = upload(gpu, [1, 2], [5, 6]);
    assertThrows(() => concatForward(capture, a, b), RangeError, "got [2, 2] and [1, 2]");
    const halves = { a: {}, b: null };
    assertThrows(() => splitLast(capture, a, 2, halves), RangeError, "after element 2");
    return { y: splitLast(capture, a, 1, halves).a! };
  });
});
