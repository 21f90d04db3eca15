import { readNpy, readNpz, writeNpy, writeNpz } from "../../formats/npy.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import { writeZip } from "../../formats/zip.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const ARRAYS: Record<string, StoredTensor> = {
  f8: { dtype: "F64", shape: [2, 2], data: Float64Array.of(1, -2, NaN, 1e300) },
  f4: { dtype: "F32", shape: [3], data: Float32Array.of(1, 2, 3) },
  f2: { dtype: "F16", shape: [1, 2], data: Uint16Array.of(0x3c00, 0xc000) },
  i8: { dtype: "I64", shape: [1], data: BigInt64Array.of(-5n) },
  u8: { dtype: "U64", shape: [1], data: BigUint64Array.of(5n) },
  i4: { dtype: "I32", shape: [], data: Int32Array.of(-7) },
  u1: { dtype: "U8", shape: [0, 4], data: new Uint8Array() },
  b1: { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) },
};

/** An array with a header of one's own. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length = version === 1
    ? [text.length & 255, text.length >> 8]
    : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.of(
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    version,
    0,
    ...length,
    ...text,
    ...data,
  );
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer);

Deno.test("readNpy() gives back what writeNpy() wrote, of every type", () => {
  for (const [name, array] of Object.entries(ARRAYS)) {
    const bytes = writeNpy(array);
    assertEquals(readNpy(bytes), array, name);
    assertEquals((bytes.length - array.data.byteLength) % 64, 0);
  }
});

Deno.test("readNpy() puts Fortran's order in row-major order", () => {
  const data = bytesOf(Float32Array.of(0, 3, 1, 4, 2, 5));
  const array = readNpy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", data));
  assertEquals([...array.data], [0, 1, 2, 3, 4, 5]);
});

Deno.test("readNpy() reads headers of all versions, in any order, with long integers", () => {
  const data = bytesOf(Float32Array.of(1, 2));
  for (const version of [1, 2, 3]) {
    const header = "{'shape': (2L,), 'descr': '<f4', 'fortran_order': False}  \n";
    assertEquals(readNpy(npy(header, data, version)).shape, [2]);
  }
});

Deno.test("readNpy() refuses objects, text and another byte order by name", () => {
  for (const descr of ["|O", "<U5", ">f4", "<c8", "__proto__"]) {
    assertThrows(
      () =>
        readNpy(
          npy(`{'descr': '${descr}', 'fortran_order': False, 'shape': (), }`, new Uint8Array(8)),
        ),
      TypeError,
      JSON.stringify(descr),
    );
  }
});

Deno.test("readNpy() refuses shapes that the bytes cannot have", () => {
  for (
    const shape of ["(3,)", "(1,)", "(99999999999, 99999999999)", "(2147483648, 2147483648, 4)"]
  ) {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
    assertThrows(() => readNpy(npy(header, new Uint8Array(8))), SyntaxError);
  }
});

Deno.test("readNpy() refuses headers that are no such dict", () => {
  for (
    const header of [
      "",
      "{}",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': 'True', 'shape': (1,), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1,), }",
      "__import__('os').system('true')",
    ]
  ) assertThrows(() => readNpy(npy(header, new Uint8Array(4))), SyntaxError, "header");
  assertThrows(() => readNpy(new Uint8Array(5)), SyntaxError, "signature");
  assertThrows(() => readNpy(npy("{}", new Uint8Array(), 9)), SyntaxError, "version");
});

Deno.test("readNpy() refuses an array cut at any byte", () => {
  const whole = writeNpy(ARRAYS.f4!);
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => readNpy(whole.subarray(0, length)), SyntaxError, "Cannot read npy");
  }
});

for (const compress of [false, true]) {
  Deno.test(`readNpz() gives back what writeNpz() wrote, compress ${compress}`, () => {
    const arrays = new Map(Object.entries(ARRAYS));
    const read = readNpz(writeNpz(arrays, { compress }));
    assertEquals([...read.keys()].sort(), [...arrays.keys()].sort());
    for (const [name, array] of arrays) assertEquals(read.get(name), array, name);
  });
}

Deno.test("readNpz() refuses what is no array", () => {
  const files: [string, Uint8Array][] = [["../evil.txt", new Uint8Array(3)]];
  assertThrows(() => readNpz(writeZip(files)), SyntaxError, "arrays alone");
});

Deno.test("writeNpy() refuses what NumPy has no type for", () => {
  const data = new Uint16Array(1);
  assertThrows(() => writeNpy({ dtype: "BF16", shape: [1], data }), TypeError, "got BF16");
});
