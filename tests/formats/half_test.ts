import { fromHalf, toHalf } from "../../formats/half.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("fromHalf() reads every f16 as the runtime does", () => {
  const words = Uint16Array.from({ length: 1 << 16 }, (_, word) => word);
  const values = fromHalf(words, "F16");
  const expected = new Float16Array(words.buffer);
  assert(values.every((value, i) => Object.is(value, expected[i])));
});

Deno.test("toHalf() rounds to the nearest bf16, ties to even, and keeps NaN", () => {
  const values = [
    0,
    -0,
    1,
    1 + 2 ** -8,
    1 + 3 * 2 ** -8,
    1 + 2 ** -8 + 2 ** -20,
    Infinity,
    -2.5,
    NaN,
  ];
  const rounded = fromHalf(toHalf(Float32Array.from(values), "BF16"), "BF16");
  assertEquals([...rounded], [0, -0, 1, 1, 1 + 2 ** -6, 1 + 2 ** -7, Infinity, -2.5, NaN]);
  // Its payload is in the lower half alone.
  const narrow = new Float32Array(Uint32Array.of(0x7f800001).buffer);
  assert(Number.isNaN(fromHalf(toHalf(narrow, "BF16"), "BF16")[0]));
  const half = fromHalf(toHalf(Float32Array.of(1 / 3, 70000), "F16"), "F16");
  assertEquals([...half], [Math.f16round(1 / 3), Infinity]);
});
