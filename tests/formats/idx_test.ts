import { assertEquals, assertThrows } from "../support/assert.ts";
import { readIdx, writeIdx } from "../../formats/idx.ts";

// Two 2x3 images, spelled out.
const FILE = new Uint8Array(
  [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
);

Deno.test("readIdx() reads shape and data", () => {
  assertEquals(readIdx(FILE), {
    shape: [2, 2, 3],
    data: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  });
});

Deno.test("readIdx() reads from the middle of a buffer", () => {
  const shifted = new Uint8Array(FILE.length + 3);
  shifted.set(FILE, 3);
  assertEquals(readIdx(shifted.subarray(3)), readIdx(FILE));
});

Deno.test("writeIdx() writes what readIdx() reads", () => {
  assertEquals(writeIdx(readIdx(FILE)), FILE);
});

Deno.test("readIdx() refuses a truncated file and names the byte", () => {
  for (let length = 0; length < FILE.length; length++) {
    assertThrows(() => readIdx(FILE.subarray(0, length)), SyntaxError, `byte ${length} must exist`);
  }
});

Deno.test("readIdx() refuses a wrong byte by its place", () => {
  const changed = (at: number, value: number) => {
    const bytes = FILE.slice();
    bytes[at] = value;
    return () => readIdx(bytes);
  };
  assertThrows(changed(0, 1), SyntaxError, "byte 0 must be 0x00");
  assertThrows(changed(1, 9), SyntaxError, "byte 1 must be 0x00 (the magic's second byte)");
  assertThrows(
    changed(2, 0x0d),
    SyntaxError,
    "byte 2 must be 0x08 (elements of type u8), got 0x0d (f32)",
  );
  assertThrows(changed(3, 0), SyntaxError, "byte 3 must be at least 1");
  assertThrows(changed(3, 255), SyntaxError, "255 dimensions end at byte 1024");
  assertThrows(changed(7, 1), SyntaxError, "byte 22 must be the file's end");
  // A count of 4278190082 must not be allocated.
  assertThrows(changed(4, 255), SyntaxError, "byte 28 must exist");
  assertThrows(() => readIdx(new Uint8Array([0x1f, 0x8b, 8, 0])), SyntaxError, "it is gzip");
});

Deno.test("writeIdx() refuses a shape that does not fit", () => {
  assertThrows(() => writeIdx({ shape: [2], data: new Uint8Array(3) }), RangeError, "2 elements");
  assertThrows(() => writeIdx({ shape: [], data: new Uint8Array(1) }), RangeError, "1 to 255");
  assertThrows(() => writeIdx({ shape: [0.5], data: new Uint8Array(0) }), RangeError, "[0.5]");
});

Deno.test("readIdx() reads or refuses random mutations, and never makes up data", () => {
  let state = 3;
  const random = (n: number) => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) % n;
  let read = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = FILE.slice(0, FILE.length - random(3));
    for (let k = 0; k < 2; k++) bytes[random(bytes.length)] = random(256);
    try {
      const { shape, data } = readIdx(bytes);
      assertEquals(data, bytes.subarray(4 + 4 * shape.length));
      assertEquals(shape.reduce((a, b) => a * b, 1), data.length);
      read++;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  assertEquals(read > 50 && read < 1000, true, `${read} read`);
});

Deno.test("readIdx() keeps its line short and clear when hundreds of sizes make no sense", () => {
  const bytes = new Uint8Array(4 + 4 * 200 + 10).fill(9);
  bytes.set([0, 0, 8, 200]);
  const { message } = assertThrows(() => readIdx(bytes), SyntaxError, "fewer than 2^53 elements");
  assertEquals(message.length < 200, true);
});
