import { readExample, tfRecords } from "../../formats/tfrecord.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { exampleBytes, tfRecordFile } from "../support/tfrecord_file.ts";

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("tfRecords() reads records, and names the one that is cut short or damaged, and its byte", () => {
  const records = [text("first"), new Uint8Array(0), text("third one")];
  const file = tfRecordFile(records);
  assertEquals([...tfRecords(file)], records);
  assertEquals([...tfRecords(new Uint8Array(0))], []);
  const refuses = (bytes: Uint8Array, message: string) =>
    assertThrows(() => [...tfRecords(bytes)], SyntaxError, `Cannot read TFRecord: ${message}`);
  const changed = (at: number) => file.map((byte, i) => i === at ? byte ^ 1 : byte);
  refuses(changed(0), "record 0 at byte 0: its length must match the checksum");
  refuses(changed(13), "record 0 at byte 0: its bytes must match the checksum");
  refuses(changed(file.length - 1), "record 2 at byte 37: its bytes must match");
  refuses(file.subarray(0, 25), "record 1 at byte 21 must have 12 bytes of length, got 4");
  refuses(
    file.subarray(0, file.length - 5),
    "record 2 at byte 37 must have 9 bytes and a checksum",
  );
  for (let length = 0; length < file.length; length++) {
    if (![0, 21, 37].includes(length)) refuses(file.subarray(0, length), "record ");
  }
  assertEquals([...tfRecords(changed(13), false)].length, 3);
});

Deno.test("readExample() reads what protobufjs writes, packed or not", () => {
  for (const packed of [true, false]) {
    const bytes = exampleBytes({
      image: [text("PNG"), text("")],
      label: [300, -1, 2 ** 40],
      weight: 0.5,
    }, packed);
    const features = readExample(bytes);
    assertEquals(features.get("image"), { kind: "bytes", values: [text("PNG"), text("")] });
    assertEquals(features.get("label"), { kind: "whole", values: [300, -1, 2 ** 40] });
    assertEquals(features.get("weight"), { kind: "other" });
    for (let length = 1; length < bytes.length; length += 3) {
      try {
        readExample(bytes.subarray(0, length));
      } catch (error) {
        assertEquals((error as Error).name, "SyntaxError");
      }
    }
  }
  assertThrows(() => readExample(Uint8Array.of(0x0a, 0xff)), SyntaxError, "must begin a number");
  assertThrows(() => readExample(Uint8Array.of(0x0b)), SyntaxError, "got kind 3");
  assertThrows(() => readExample(new Uint8Array(12).fill(255)), SyntaxError, "at most 10 bytes");
});
