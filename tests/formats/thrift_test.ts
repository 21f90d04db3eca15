import { ThriftReader, ThriftType } from "../../formats/thrift.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { field, struct } from "../support/parquet_file.ts";

function reader(bytes: readonly number[]): ThriftReader {
  return new ThriftReader(Uint8Array.from(bytes), "test", 0, bytes.length);
}

Deno.test("ThriftReader reads what is asked for and steps over the rest", () => {
  const bytes = struct({
    1: field.i32(-7),
    2: field.list([field.i32(1), field.i32(2)]),
    3: { type: ThriftType.TRUE, bytes: [] },
    4: field.struct({
      1: field.text("inner"),
      9: { type: ThriftType.DOUBLE, bytes: new Array(8).fill(1) },
    }),
    5: { type: ThriftType.MAP, bytes: [1, 0x58, 4, 1, 65] },
    6: { type: ThriftType.UUID, bytes: new Array(16).fill(0) },
    7: { type: ThriftType.BYTE, bytes: [9] },
    40: field.text("last"),
    41: field.i64(2 ** 50),
  });
  const source = reader(bytes);
  const seen: unknown[] = [];
  source.struct((id) => {
    if (id === 1 || id === 41) seen.push(source.integer());
    else if (id === 40) seen.push(source.text());
    else return false;
    return true;
  });
  assertEquals(seen, [-7, "last", 2 ** 50]);
  assertEquals(source.position, bytes.length);
});

Deno.test("ThriftReader refuses a struct cut at any byte", () => {
  const bytes = struct({
    1: field.i32(300),
    2: field.list([field.text("ab")]),
    3: field.text("c"),
  });
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(
      () => reader(bytes.slice(0, length)).struct(() => false),
      SyntaxError,
      "more bytes",
    );
  }
});

Deno.test("ThriftReader refuses sizes, depths and numbers that no input justifies", () => {
  const refuses = (part: string, bytes: readonly number[]) =>
    assertThrows(() => reader(bytes).struct(() => false), SyntaxError, part);
  refuses("must hold 268435455 more bytes", [0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f]);
  refuses("at most 24 deep", new Array(5000).fill(0x1c));
  refuses("at most 24 deep", new Array(5000).fill(0x19));
  refuses("end within 10 bytes", [0x15, ...new Array(20).fill(0xff)]);
  refuses("end within 5 bytes", [0x18, ...new Array(20).fill(0xff)]);
  refuses("of a known type, got 14", [0x1e]);
  const big = reader([0x15, ...new Array(9).fill(0xff), 1]);
  assertThrows(() => big.struct(() => big.integer() > 0), SyntaxError, "below 2^53");
});
