import { readFlax } from "../../formats/flax.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { msgpack, type Packed } from "../support/msgpack_file.ts";

const array = (shape: number[], values: number[]): Packed => ({
  shape,
  values: Float32Array.from(values),
});

Deno.test("readFlax() reads arrays and plain values under dotted names", () => {
  const { tensors, facts } = readFlax(msgpack({
    step: array([], [7]),
    params: { "a.b": { kernel: array([2, 1], [1.5, -2]) } },
    dynamic_scale: null,
  }));
  assertEquals([...facts], [["step", 7], ["dynamic_scale", null]]);
  assertEquals([...tensors], [["params.a.b.kernel", {
    ...{ dtype: "F32", shape: [2, 1], data: Float32Array.of(1.5, -2) },
  }]]);
});

Deno.test("readFlax() refuses arrays of another size, of unknown types, in pieces, and twice", () => {
  const refuses = (value: Packed, reason: string) =>
    assertThrows(() => readFlax(msgpack(value)), Error, reason);
  refuses({ a: array([3], [1, 2]) }, "a of shape [3] must have 3 values, got 2");
  refuses({ a: array([-1, -2], [1, 2]) }, "must have 2 values");
  refuses({ a: { __msgpack_chunked_array__: true } }, "a must be one array, it is kept in pieces");
  refuses({ a: { b: 1 }, "a.b": 1 }, '"a.b" must be one thing');
  const odd = Uint8Array.of(0x81, 0xa1, 0x61, 0xd4, 9, 0);
  assertThrows(() => readFlax(odd), SyntaxError, "a must be an array, got a value of type 9");
  const complex = Uint8Array.of(0x81, 0xa1, 0x61, 0xd5, 1, 0x91, 0x90);
  assertThrows(() => readFlax(complex), SyntaxError, "a must have a shape, a type such as float32");
});
