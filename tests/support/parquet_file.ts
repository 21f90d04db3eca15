/**
 * Writes small Parquet files, so that tests can make any of them, damaged ones included: one row
 * group, pages of version 1 that are not packed. Numbers in a struct are given by field.
 *
 * @module
 */

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

/** A whole number as Thrift writes it. */
export function zigzag(value: number): number[] {
  return varint(value < 0 ? -2 * value - 1 : 2 * value);
}

function i32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
}

/** A field of a struct: its type and its bytes. */
export interface Field {
  readonly type: number;
  readonly bytes: readonly number[];
}

/** Fields. */
export const field = {
  i32: (value: number): Field => ({ type: 5, bytes: zigzag(value) }),
  i64: (value: number): Field => ({ type: 6, bytes: zigzag(value) }),
  text: (value: string): Field => {
    const bytes = [...new TextEncoder().encode(value)];
    return { type: 8, bytes: [...varint(bytes.length), ...bytes] };
  },
  struct: (fields: Record<number, Field>): Field => ({ type: 12, bytes: struct(fields) }),
  list: (items: readonly Field[]): Field => ({
    type: 9,
    bytes: [
      ...(items.length < 15
        ? [(items.length << 4) | (items[0]?.type ?? 12)]
        : [0xf0 | items[0]!.type, ...varint(items.length)]),
      ...items.flatMap(({ bytes }) => bytes),
    ],
  }),
};

/** A struct; fields ascend. */
export function struct(fields: Record<number, Field>): number[] {
  const bytes: number[] = [];
  let last = 0;
  for (const [id, { type, bytes: own }] of Object.entries(fields)) {
    const delta = Number(id) - last;
    if (delta < 16) bytes.push((delta << 4) | type);
    else bytes.push(type, ...zigzag(Number(id)));
    bytes.push(...own);
    last = Number(id);
  }
  return [...bytes, 0];
}

/** Values of bytes, plain. */
export function plainBytes(values: readonly (readonly number[])[]): number[] {
  return values.flatMap((value) => [...i32(value.length), ...value]);
}

/** A page: its header's fields and its bytes. */
export function page(
  body: readonly number[],
  { kind = 0, count = 0, encoding = 0, size = body.length, unpacked = body.length } = {},
): number[] {
  const inner = kind === 2
    ? { 7: field.struct({ 1: field.i32(count), 2: field.i32(encoding) }) }
    : { 5: field.struct({ 1: field.i32(count), 2: field.i32(encoding), 3: field.i32(3) }) };
  const header = { 1: field.i32(kind), 2: field.i32(unpacked), 3: field.i32(size), ...inner };
  return [...struct(header), ...body];
}

/** A column: its pages, and what the metadata says of it. */
export interface TestColumn {
  /** "image.bytes" is a column in a group. */
  readonly name: string;
  /** Physical type; 6 (bytes) unless given. */
  readonly type?: number;
  /** 0 required, 1 optional, 2 repeated. */
  readonly repetition?: number;
  readonly pages: readonly number[];
  readonly values: number;
  readonly codec?: number;
  readonly size?: number;
  readonly start?: number;
}

/** A file of some columns of `rows` rows each, and what its writer notes. */
export function parquetFile(
  columns: readonly TestColumn[],
  rows: number,
  children = columns.length,
  notes: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const bytes = [0x50, 0x41, 0x52, 0x31];
  const chunks = columns.map(({ name, type = 6, pages, values, codec = 0, size, start }) => {
    const at = bytes.length;
    bytes.push(...pages);
    return field.struct({
      3: field.struct({
        1: field.i32(type),
        3: field.list(name.split(".").map(field.text)),
        4: field.i32(codec),
        5: field.i64(values),
        7: field.i64(size ?? pages.length),
        9: field.i64(start ?? at),
      }),
    });
  });
  const schema = [
    field.struct({ 4: field.text("schema"), 5: field.i32(children) }),
    ...columns.flatMap(({ name, type = 6, repetition = 0 }) => {
      const [leaf, ...groups] = name.split(".").reverse();
      return [
        ...groups.reverse().map((group) =>
          field.struct({ 3: field.i32(0), 4: field.text(group), 5: field.i32(1) })
        ),
        field.struct({ 1: field.i32(type), 3: field.i32(repetition), 4: field.text(leaf!) }),
      ];
    }),
  ];
  const noted = Object.entries(notes).map(([key, value]) =>
    field.struct({ 1: field.text(key), 2: field.text(value) })
  );
  const metadata = struct({
    1: field.i32(1),
    2: field.list(schema),
    3: field.i64(rows),
    4: field.list([field.struct({ 1: field.list(chunks), 3: field.i64(rows) })]),
    ...(noted.length > 0 ? { 5: field.list(noted) } : {}),
  });
  return Uint8Array.from([...bytes, ...metadata, ...i32(metadata.length), 0x50, 0x41, 0x52, 0x31]);
}
