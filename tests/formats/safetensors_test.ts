import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import {
  readSafetensors,
  readSafetensorsHeader,
  safetensorsChunks,
  safetensorsHeader,
  type StoredTensor,
  tensorData,
  writeSafetensors,
} from "../../formats/safetensors.ts";

/** A file of a header text and data bytes, as a stranger might write it. */
function rawFile(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

const EVERY_TYPE: [string, StoredTensor][] = [
  ["f64", { dtype: "F64", shape: [2], data: new Float64Array([Math.PI, -0]) }],
  ["f32", { dtype: "F32", shape: [2, 1], data: new Float32Array([1.5, NaN]) }],
  ["f16", { dtype: "F16", shape: [1], data: new Uint16Array([0x3c00]) }],
  ["bf16", { dtype: "BF16", shape: [1], data: new Uint16Array([0x3f80]) }],
  ["i64", { dtype: "I64", shape: [1], data: new BigInt64Array([-(2n ** 62n)]) }],
  ["u64", { dtype: "U64", shape: [1], data: new BigUint64Array([2n ** 63n]) }],
  ["i32", { dtype: "I32", shape: [1], data: new Int32Array([-7]) }],
  ["u32", { dtype: "U32", shape: [1], data: new Uint32Array([2 ** 32 - 1]) }],
  ["i16", { dtype: "I16", shape: [1], data: new Int16Array([-3]) }],
  ["u16", { dtype: "U16", shape: [1], data: new Uint16Array([65535]) }],
  ["i8", { dtype: "I8", shape: [3], data: new Int8Array([-1, 2, 3]) }],
  ["u8", { dtype: "U8", shape: [3], data: new Uint8Array([1, 2, 255]) }],
  ["bool", { dtype: "BOOL", shape: [2], data: new Uint8Array([0, 1]) }],
  ["scalar", { dtype: "F32", shape: [], data: new Float32Array([42]) }],
  ["empty", { dtype: "F32", shape: [0, 3], data: new Float32Array(0) }],
];

Deno.test("writeSafetensors() writes the bytes of the format", () => {
  const bytes = writeSafetensors([["a", {
    dtype: "F32",
    shape: [1],
    data: new Float32Array([1]),
  }]], { k: "v" });
  const header = '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8, " ");
  assertEquals(bytes, rawFile(padded, new Uint8Array([0, 0, 0x80, 0x3f])));
});

Deno.test("readSafetensors() gives back every type that writeSafetensors() wrote", () => {
  const { metadata, tensors } = readSafetensors(writeSafetensors(EVERY_TYPE, { step: "5" }));
  assertEquals(metadata, { step: "5" });
  assertEquals([...tensors], EVERY_TYPE);
});

Deno.test("writeSafetensors() keeps the given order, also of names like numbers", () => {
  const one = (value: number): StoredTensor => ({
    dtype: "U8",
    shape: [1],
    data: new Uint8Array([value]),
  });
  const { tensors } = readSafetensors(writeSafetensors([["b", one(1)], ["0", one(2)]]));
  assertEquals([...tensors].map(([name, { data }]) => [name, data[0]]), [["b", 1], ["0", 2]]);
});

Deno.test("readSafetensors() gives views where aligned and copies elsewhere", () => {
  const bytes = writeSafetensors([
    ["a", { dtype: "F32", shape: [1], data: new Float32Array([1]) }],
    ["odd", { dtype: "U8", shape: [1], data: new Uint8Array([9]) }],
    ["b", { dtype: "F32", shape: [1], data: new Float32Array([2]) }],
  ]);
  const { tensors } = readSafetensors(bytes);
  assert(tensors.get("a")!.data.buffer === bytes.buffer, "aligned tensors must be views");
  assert(tensors.get("b")!.data.buffer !== bytes.buffer, "b is not aligned");
  assertEquals(tensors.get("b")!.data, new Float32Array([2]));
});

Deno.test("safetensorsChunks() copies nothing and joins to writeSafetensors()", () => {
  const chunks = [...safetensorsChunks(EVERY_TYPE, { a: "b" })];
  assert(chunks[1]!.buffer === EVERY_TYPE[0]![1].data.buffer);
  assertEquals(
    new Uint8Array(chunks.flatMap((chunk) => [...chunk])),
    writeSafetensors(EVERY_TYPE, { a: "b" }),
  );
  assertEquals(chunks[0], safetensorsHeader(EVERY_TYPE, { a: "b" }));
});

Deno.test("readSafetensorsHeader() needs the header and the size alone", () => {
  const bytes = writeSafetensors(EVERY_TYPE);
  const prefix = bytes.slice(0, safetensorsHeader(EVERY_TYPE).length);
  const { tensors } = readSafetensorsHeader(prefix, bytes.length);
  const { dtype, start, end } = tensors.get("i32")!;
  assertEquals(tensorData(dtype, bytes.subarray(start, end)), new Int32Array([-7]));
});

Deno.test("writeSafetensors() refuses what would not be a file, by tensor", () => {
  const data = new Float32Array(2);
  const write = (name: string, tensor: StoredTensor) => () =>
    writeSafetensors([["x", { dtype: "F32", shape: [2], data }], [name, tensor]]);
  assertThrows(write("x", { dtype: "F32", shape: [2], data }), TypeError, '"x" must be free');
  assertThrows(write("__metadata__", { dtype: "F32", shape: [2], data }), TypeError, "free");
  assertThrows(write("y", { dtype: "F32", shape: [3], data }), RangeError, "3 elements, got 2");
  assertThrows(write("y", { dtype: "I32", shape: [2], data }), TypeError, "held by Int32Array");
  assertThrows(
    () => safetensorsHeader([["y", { dtype: "F32", shape: [-1] }]]),
    RangeError,
    '"y" must be integers',
  );
});

Deno.test("readSafetensors() refuses damaged files and names the tensor", () => {
  const cases: [string, Uint8Array, string][] = [
    ["short", new Uint8Array([9, 0, 0, 0, 0, 0, 0]), "8 bytes of header length"],
    ["zeros", new Uint8Array(7), "got zeros alone"],
    ["header beyond the end", new Uint8Array([255, 0, 0, 0, 0, 0, 0, 0]), "got 255"],
    ["absurd header", new Uint8Array(8).fill(255), "got 18446744073709551615"],
    ["no JSON", rawFile("{]"), "must be JSON"],
    ["no UTF-8", rawFile("{}").fill(0xff, 8), "UTF-8"],
    ["a list", rawFile("[]"), "JSON object"],
    ["metadata", rawFile('{"__metadata__":{"a":1}}'), '"a" must be a string'],
    ["no object", rawFile('{"t":1}'), '"t" must be described'],
    ["type", rawFile('{"t":{"dtype":"F8","shape":[],"data_offsets":[0,1]}}'), 'got "F8"'],
    ["prototype", rawFile('{"t":{"dtype":"constructor","shape":[],"data_offsets":[0,1]}}'), '"t"'],
    ["shape", rawFile('{"t":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}'), "shape of"],
    ["negative", rawFile('{"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}'), "shape of"],
    ["offsets", rawFile('{"t":{"dtype":"U8","shape":[1],"data_offsets":[1]}}'), "two integers"],
    ["outside", rawFile('{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'), "inside the 0"],
    [
      "backward",
      rawFile('{"t":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}}', new Uint8Array(2)),
      "got [2, 1]",
    ],
    [
      "absurd shape",
      rawFile(
        '{"t":{"dtype":"F32","shape":[9007199254740991,9007199254740991],"data_offsets":[0,4]}}',
        new Uint8Array(4),
      ),
      "must take",
    ],
    [
      "overlap",
      rawFile(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},' +
          '"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        new Uint8Array(3),
      ),
      '"b" must begin at byte',
    ],
    [
      "gap",
      rawFile('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', new Uint8Array(2)),
      '"a" must begin at byte',
    ],
    [
      "tail",
      rawFile('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(3)),
      "must end at byte",
    ],
  ];
  for (const [name, bytes, part] of cases) {
    const error = assertThrows(() => readSafetensors(bytes), SyntaxError, part);
    assert(error.message.startsWith("Cannot read safetensors: "), name);
  }
});

Deno.test("readSafetensors() refuses every truncation", () => {
  const bytes = writeSafetensors(EVERY_TYPE, { a: "b" });
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => readSafetensors(bytes.subarray(0, length)), SyntaxError);
  }
});

Deno.test("readSafetensors() reads or refuses random mutations, and nothing else happens", () => {
  const original = writeSafetensors(EVERY_TYPE, { a: "b" });
  let state = 1;
  const random = (n: number) => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) % n;
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = original.slice();
    for (let k = 0; k <= random(3); k++) bytes[random(bytes.length)] = random(256);
    try {
      for (const [, { shape, data }] of readSafetensors(bytes).tensors) {
        assertEquals(data.length, shape.reduce((a, b) => a * b, 1));
      }
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
      refused++;
    }
  }
  assert(refused > 1000, `only ${refused} refused`);
});

Deno.test("readSafetensors() refuses a name used twice", () => {
  const entry = '"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  assertThrows(() => readSafetensors(rawFile(`{${entry},${entry}}`)), SyntaxError, '"t" once');
});

Deno.test("readSafetensors() reads white space, escapes and an empty header", () => {
  assertEquals(readSafetensors(rawFile(" {\n } ")).tensors.size, 0);
  const name = '"a\\"\\u00e9,{"';
  const text = `{ ${name} : { "dtype" : "U8", "shape" : [ 1 ], "data_offsets" : [ 0, 1 ] } }`;
  const { tensors } = readSafetensors(rawFile(text, Uint8Array.of(7)));
  assertEquals([...tensors.keys()], ['a"é,{']);
});

Deno.test("readSafetensors() stops at the first entry that is none, however long the header", () => {
  const cases: [string, string][] = [
    ["[".repeat(1 << 20), "JSON object"],
    [`{"a":${"[".repeat(1 << 20)}`, "at most 8192 characters"],
    [`{"a":{},${'"b":{},'.repeat(1 << 16)}}`, '"a" must have one of the types'],
    [`{"${"a".repeat(1 << 20)}":{}}`, "at most 65536 characters"],
    [`{"a":"${"b".repeat(1 << 20)}"}`, "at most 8192 characters"],
  ];
  for (const [header, part] of cases) {
    assertThrows(() => readSafetensors(rawFile(header)), SyntaxError, part);
  }
  const bytes = new Uint8Array(18 << 20).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  assertThrows(() => readSafetensors(bytes), SyntaxError, "must be at most 16777216");
});
