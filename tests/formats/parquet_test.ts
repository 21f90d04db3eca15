import { type ColumnValue, ParquetFile } from "../../formats/parquet.ts";
import { decodePng } from "../../formats/png.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { FOREIGN_FILES, formulaImages } from "../support/foreign_files.ts";
import { page, parquetFile, plainBytes, type TestColumn } from "../support/parquet_file.ts";

const { parquetSnappy, parquetGzip, parquetBrotli, parquetZstd, parquetLz4 } = FOREIGN_FILES;
const WORDS = [[1, 2, 3], [], [4]];

function column(pages: readonly number[], more: Partial<TestColumn> = {}): TestColumn {
  return { name: "a", pages, values: 3, ...more };
}

function valuesOf(one: TestColumn, rows = 3): ColumnValue[] {
  return [...ParquetFile.open(parquetFile([one], rows)).values("a")];
}

function refuses(part: string, one: TestColumn, rows = 3, ErrorClass: typeof Error = SyntaxError) {
  assertThrows(() => valuesOf(one, rows), ErrorClass, part);
}

Deno.test("ParquetFile reads what pyarrow wrote, by every codec and both versions of pages", () => {
  const files = [
    [parquetSnappy, 6],
    [parquetGzip, 6],
    [parquetBrotli, 3],
    [parquetZstd, 6],
    [parquetLz4, 3],
  ] as const;
  for (const [bytes, count] of files) {
    const file = ParquetFile.open(bytes);
    assertEquals(file.rows, count);
    assertEquals(file.columns.map(({ path }) => path.join(".")), [
      "image.bytes",
      "image.path",
      "label",
    ]);
    assert(file.notes.get("huggingface")?.includes('"dog"'));
    const expected = formulaImages(count, 8, 8, 3);
    for (const [n, png] of [...file.values("image.bytes")].entries()) {
      const { data } = decodePng(png as Uint8Array);
      assertEquals(data, expected.subarray(192 * n, 192 * (n + 1)));
    }
    assertEquals([...file.values("image.path")], new Array(count).fill(null));
    assertEquals([...file.values("label")], [0, 1, 2, 0, 1, 2].slice(0, count));
  }
});

Deno.test("ParquetFile reads bytes, integers and booleans, plain and by dictionary", () => {
  const bytes = WORDS.map((word) => Uint8Array.from(word));
  assertEquals(valuesOf(column(page(plainBytes(WORDS), { count: 3 }))), bytes);
  const longs = [...new Uint8Array(new BigInt64Array([5n, -1n, 1n << 40n]).buffer)];
  assertEquals(valuesOf(column(page(longs, { count: 3 }), { type: 2 })), [5, -1, 2 ** 40]);
  const ints = [...new Uint8Array(new Int32Array([5, -1, 7]).buffer)];
  assertEquals(valuesOf(column(page(ints, { count: 3 }), { type: 1 })), [5, -1, 7]);
  assertEquals(valuesOf(column(page([0b101], { count: 3 }), { type: 0 })), [1, 0, 1]);
  const dictionary = page(plainBytes(WORDS), { kind: 2, count: 3 });
  // A run of two times 2, and a group of eight packed by 2 bits: 1, 0, ...
  const indices = [2, 2 << 1, 2, (1 << 1) | 1, 0b0001, 0];
  const byDictionary = page(indices, { count: 4, encoding: 8 });
  assertEquals(
    valuesOf(column([...dictionary, ...byDictionary], { values: 4 }), 4),
    [2, 2, 1, 0].map((index) => bytes[index]!),
  );
});

Deno.test("ParquetFile reads indices of every width", () => {
  const count = 300;
  const dictionary = page(plainBytes(Array.from({ length: count }, (_, i) => [i & 255])), {
    kind: 2,
    count,
  });
  for (const width of [9, 12, 17, 24, 31, 32]) {
    const wanted = Array.from({ length: 16 }, (_, i) => (i * 71) % count);
    const bits = wanted.map((index) =>
      [...index.toString(2).padStart(width, "0")].reverse().join("")
    ).join("");
    const packed = Array.from(
      { length: 2 * width },
      (_, i) => parseInt([...bits.slice(8 * i, 8 * i + 8)].reverse().join(""), 2),
    );
    const indices = page([width, (2 << 1) | 1, ...packed], { count: 16, encoding: 2 });
    assertEquals(
      valuesOf(column([...dictionary, ...indices], { values: 16 }), 16).map((v) =>
        (v as Uint8Array)[0]
      ),
      wanted.map((index) => index & 255),
    );
  }
});

Deno.test("ParquetFile gives null where an optional column has no value", () => {
  // Levels 1, 0, 1 as a packed group of one bit each.
  const levels = [2, 0, 0, 0, (1 << 1) | 1, 0b101];
  const body = [...levels, ...plainBytes([[1], [2]])];
  assertEquals(valuesOf(column(page(body, { count: 3 }), { repetition: 1 })), [
    Uint8Array.of(1),
    null,
    Uint8Array.of(2),
  ]);
});

Deno.test("ParquetFile refuses counts, sizes and runs beyond what is there", () => {
  const body = plainBytes(WORDS);
  refuses("must hold 3 values", column(page([1, 0, 0, 0], { count: 3 })));
  refuses(
    "must hold all of value 0",
    column(page([99, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], { count: 3 })),
  );
  refuses("must have 1 to 3 values, got 4", column(page(body, { count: 4 })));
  refuses("must have 1 to 3 values, got 0", column(page(body, { count: 0 })));
  refuses("must have 999 bytes", column(page(body, { count: 3, size: 999 })));
  refuses("sizes of at least 0", column(page(body, { count: 3, size: -1 })));
  refuses("unpack to more than", column(page(body, { count: 3, unpacked: 2 ** 30 })));
  refuses("must unpack to 17 bytes", column(page(body, { count: 3, unpacked: 17 })));
  const dictionary = page(body, { kind: 2, count: 3 });
  // A run that claims 2^29 values from two bytes.
  const run = [2, 0xfe, 0xff, 0xff, 0xff, 0x03];
  const long = column([...dictionary, ...page([...run, 1], { count: 3, encoding: 8 })]);
  assertEquals(valuesOf(long).length, 3);
  refuses("whole runs", column([...dictionary, ...page(run, { count: 3, encoding: 8 })]));
  refuses(
    "at most 2, got 3",
    column([...dictionary, ...page([2, 6, 3], { count: 3, encoding: 8 })]),
  );
  refuses(
    "at most 32 bits",
    column([...dictionary, ...page([33, 6, 3], { count: 3, encoding: 8 })]),
  );
  refuses("after its dictionary", column(page([2, 6, 1], { count: 3, encoding: 8 })));
  refuses("second dictionary", column([...dictionary, ...dictionary]));
  refuses("must have fewer rows than bytes", column(page(body, { count: 3 })), 10_000);
  refuses("must have 4 values", column(page(body, { count: 3 })), 4);
  refuses("must lie before the metadata", column(page(body, { count: 3 }), { size: 999 }));
  refuses("must lie before the metadata", column(page(body, { count: 3 }), { start: 2 }));
  refuses("levels", column(page([200, 0, 0, 0, 1], { count: 3 }), { repetition: 1 }));
});

Deno.test("ParquetFile names what it does not read", () => {
  const body = plainBytes(WORDS);
  refuses("got LZO", column(page(body, { count: 3 }), { codec: 3 }), 3, TypeError);
  refuses("got number 77", column(page(body, { count: 3 }), { codec: 77 }), 3, TypeError);
  refuses("got DELTA_BYTE_ARRAY", column(page(body, { count: 3, encoding: 7 })), 3, TypeError);
  refuses("got type 4", column(page(body, { count: 3 }), { type: 4 }), 3, TypeError);
  const repeated = column(page(body, { count: 3 }), { repetition: 2 });
  assertEquals(ParquetFile.open(parquetFile([repeated], 3)).columns, []);
  refuses('must have a column "a" of one value a row', repeated, 3, RangeError);
});

Deno.test("ParquetFile refuses what is no Parquet file, and a file cut at any byte", () => {
  assertThrows(() => ParquetFile.open(new Uint8Array(5)), SyntaxError, "12 bytes, got 5");
  assertThrows(() => ParquetFile.open(new Uint8Array(50)), SyntaxError, '"PAR1"');
  const encrypted = parquetSnappy.slice();
  encrypted.set([0x50, 0x41, 0x52, 0x45], encrypted.length - 4);
  assertThrows(() => ParquetFile.open(encrypted), TypeError, "encrypted");
  const huge = parquetSnappy.slice();
  huge.set([255, 255, 255, 127], huge.length - 8);
  assertThrows(() => ParquetFile.open(huge), SyntaxError, "its metadata must fit");
  for (let length = 0; length < parquetSnappy.length; length += 7) {
    assertThrows(() => ParquetFile.open(parquetSnappy.subarray(0, length)), SyntaxError);
  }
  const extra = parquetFile([column(page(plainBytes(WORDS), { count: 3 }))], 3, 5);
  assertThrows(() => ParquetFile.open(extra), SyntaxError, "as many elements");
});
