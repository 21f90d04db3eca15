import { assertEquals, assertThrows } from "../support/assert.ts";
import {
  CIFAR_10,
  CIFAR_100,
  cifarRecord,
  readCifarBinary,
  writeCifarBinary,
} from "../../formats/cifar_binary.ts";

const CIFAR_RECORD = cifarRecord(CIFAR_10);

function batch(labels: number[]): Uint8Array {
  const bytes = new Uint8Array(labels.length * CIFAR_RECORD);
  labels.forEach((label, i) => bytes[i * CIFAR_RECORD] = label);
  return bytes;
}

Deno.test("readCifarBinary() turns colour planes into pixels", () => {
  const bytes = batch([3, 9]);
  const at = CIFAR_RECORD + 1; // record 1
  bytes[at + 32 + 5] = 10; // red, row 1, column 5
  bytes[at + 1024 + 32 + 5] = 20; // green
  bytes[at + 2048 + 32 + 5] = 30; // blue
  const { count, images, labels } = readCifarBinary(bytes);
  assertEquals(count, 2);
  assertEquals([...labels], [3, 9]);
  const pixel = 3072 + (32 + 5) * 3;
  assertEquals([...images.subarray(pixel, pixel + 3)], [10, 20, 30]);
  assertEquals(images.reduce((sum, value) => sum + value, 0), 60);
});

Deno.test("writeCifarBinary() is undone by readCifarBinary()", () => {
  const images = Uint8Array.from({ length: 3 * 3072 }, (_, i) => i * 7);
  const labels = new Uint8Array([0, 5, 9]);
  assertEquals(readCifarBinary(writeCifarBinary({ images, labels })), { count: 3, images, labels });
});

Deno.test("readCifarBinary() names the record and the byte that are wrong", () => {
  assertThrows(
    () => readCifarBinary(batch([1, 2, 10])),
    SyntaxError,
    "byte 6146 (the label of record 2) must be 0 to 9, got 10",
  );
  assertThrows(
    () => readCifarBinary(batch([1, 2]).subarray(0, 5000)),
    SyntaxError,
    "record 1 must end at byte 6146 (a record has 3073 bytes), got the file's end at byte 5000",
  );
  assertThrows(() => readCifarBinary(new Uint8Array(0)), SyntaxError, "empty file");
});

Deno.test("writeCifarBinary() refuses sizes and labels that do not fit", () => {
  const labels = new Uint8Array([10]);
  assertThrows(
    () => writeCifarBinary({ images: new Uint8Array(3072), labels }),
    RangeError,
    "label 0 must be 0 to 9",
  );
  assertThrows(() => writeCifarBinary({ images: new Uint8Array(1), labels }), RangeError, "3072");
});

Deno.test("readCifarBinary() reads CIFAR-100, whose records have two labels", () => {
  const images = Uint8Array.from({ length: 2 * 3072 }, (_, i) => i * 11);
  const bytes = writeCifarBinary({ images, labels: new Uint8Array([99, 12]) }, CIFAR_100);
  assertEquals(bytes.length, 2 * 3074);
  bytes[0] = 19;
  const batch = readCifarBinary(bytes, CIFAR_100);
  assertEquals(batch, { count: 2, images, labels: new Uint8Array([99, 12]) });
  assertThrows(
    () => readCifarBinary(bytes.with(3074, 20), CIFAR_100),
    SyntaxError,
    "Cannot read CIFAR-100 batch: byte 3074 (the coarse label of record 1) must be 0 to 19, got 20",
  );
  assertThrows(
    () => readCifarBinary(bytes.with(3075, 100), CIFAR_100),
    SyntaxError,
    "(the fine label of record 1) must be 0 to 99, got 100",
  );
  assertThrows(() => readCifarBinary(bytes), SyntaxError);
});
