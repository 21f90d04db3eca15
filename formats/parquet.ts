/**
 * Reads columns of Parquet files as Hugging Face publishes data sets in: bytes, text, integers and
 * booleans, one value a row, plain or by dictionary. Every count and size is held against the bytes
 * that are there before anything is made of it. Format: https://parquet.apache.org/docs/file-format/
 *
 * Our own, beside hyparquet 1.33.0, which a mutated file of 4.8 KB keeps busy for more than 40 s and
 * which reads Snappy alone, and parquet-wasm 0.8.0, which takes 4.7 MiB of WebAssembly and Arrow for what
 * it returns, decodes whole tables and traps on 4 of 3,000 mutated files.
 *
 * @module
 */
import { type ColumnValue, type PageColumn, pageValues } from "./parquet_pages.ts";
import { ThriftReader, ThriftType } from "./thrift.ts";

export type { ColumnValue } from "./parquet_pages.ts";

/** A column of a file. */
export interface ParquetColumn extends PageColumn {
  /** Names from the outermost group to the column: ["image", "bytes"]. */
  readonly path: readonly string[];
}

/** A column's values in one row group. */
interface Chunk {
  readonly path: string;
  readonly codec: number;
  readonly values: number;
  readonly start: number;
  readonly size: number;
}

interface RowGroup {
  readonly rows: number;
  readonly chunks: readonly Chunk[];
}

interface SchemaElement {
  readonly name: string;
  readonly type: number | null;
  readonly repetition: number;
  readonly children: number;
}

const MAGIC = 0x31524150, ENCRYPTED_MAGIC = 0x45524150;
const FOOTER_BYTES = 8, HEADER_BYTES = 4;
const MAX_ELEMENTS = 10_000, MAX_CHUNKS = 1 << 17, MAX_NESTING = 16;
const REQUIRED = 0, OPTIONAL = 1, REPEATED = 2;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read Parquet: ${what}`);
}

/** A file whose metadata has been read and checked; its values are read when they are asked for. */
export class ParquetFile {
  private constructor(
    private readonly bytes: Uint8Array,
    /** Rows of the file. */
    readonly rows: number,
    /** Columns that hold one value a row. */
    readonly columns: readonly ParquetColumn[],
    /** What the writer noted, such as "huggingface". */
    readonly notes: ReadonlyMap<string, string>,
    private readonly groups: readonly RowGroup[],
  ) {}

  /**
   * Reads the metadata.
   *
   * @throws {SyntaxError} When the bytes are no Parquet file, or are damaged or cut short.
   * @throws {TypeError} When the file is encrypted.
   */
  static open(bytes: Uint8Array): ParquetFile {
    const { start, end } = findMetadata(bytes);
    const metadata = readMetadata(new ThriftReader(bytes, "Parquet metadata", start, end));
    const rows = metadata.groups.reduce((sum, group) => sum + group.rows, 0);
    // Less than a byte a row is no set of images, whatever packs it.
    if (rows > bytes.length) {
      throw damaged(`a file of ${bytes.length} bytes must have fewer rows than bytes, got ${rows}`);
    }
    for (const { chunks } of metadata.groups) {
      for (const { start: at, size, path } of chunks) {
        if (at < HEADER_BYTES || at + size > start) {
          throw damaged(
            `column ${shown(path)} of ${size} bytes at byte ${at} must lie before the metadata ` +
              `at byte ${start}`,
          );
        }
      }
    }
    const columns = leafColumns(metadata.schema);
    return new ParquetFile(bytes, rows, columns, metadata.notes, metadata.groups);
  }

  /** The column of a dotted path, or undefined. */
  column(path: string): ParquetColumn | undefined {
    return this.columns.find((column) => column.path.join(".") === path);
  }

  /**
   * A column's values in order, null where there is none. Bytes and text are views of a page, which
   * stay good.
   *
   * @param path Dotted, as in "image.bytes".
   * @throws {RangeError} When there is no such column of one value a row.
   * @throws {SyntaxError} When its bytes are damaged.
   * @throws {TypeError} When it is packed or encoded in a way, or of a type, that is not read.
   */
  *values(path: string): Generator<ColumnValue> {
    const column = this.column(path);
    if (!column) {
      throw new RangeError(
        `Cannot read Parquet: it must have a column ${shown(path)} of one value a row, got ${
          this.columns.slice(0, 20).map(({ path }) => shown(path.join("."))).join(", ")
        }`,
      );
    }
    const budget = { bytes: 32 * (1 << 20) + 32 * this.bytes.length };
    for (const [index, { rows, chunks }] of this.groups.entries()) {
      const chunk = chunks.find((candidate) => candidate.path === path);
      if (!chunk || chunk.values !== rows) {
        throw damaged(
          `row group ${index} must have ${rows} values of ${shown(path)}, got ${chunk?.values}`,
        );
      }
      const part = this.bytes.subarray(chunk.start, chunk.start + chunk.size);
      yield* pageValues(
        part,
        { ...column, codec: chunk.codec, count: rows, at: chunk.start },
        budget,
      );
    }
  }
}

function shown(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}

/** Where the metadata lies. */
function findMetadata(bytes: Uint8Array): { start: number; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const least = HEADER_BYTES + FOOTER_BYTES;
  if (bytes.length < least) throw damaged(`it must have ${least} bytes, got ${bytes.length}`);
  const last = view.getUint32(bytes.length - 4, true);
  if (last === ENCRYPTED_MAGIC) {
    throw new TypeError("Cannot read Parquet: it must not be encrypted, its metadata is");
  }
  if (view.getUint32(0, true) !== MAGIC || last !== MAGIC) {
    throw damaged('it must begin and end with "PAR1"; it is cut short or no Parquet file');
  }
  const end = bytes.length - FOOTER_BYTES;
  const size = view.getUint32(end, true);
  if (size > end - HEADER_BYTES) {
    throw damaged(`its metadata must fit ${end - HEADER_BYTES} bytes, got ${size}`);
  }
  return { start: end - size, end };
}

interface Metadata {
  readonly schema: SchemaElement[];
  readonly groups: RowGroup[];
  readonly notes: Map<string, string>;
}

/** FileMetaData: 2 schema, 4 row groups, 5 notes. */
function readMetadata(reader: ThriftReader): Metadata {
  const schema: SchemaElement[] = [], groups: RowGroup[] = [];
  const notes = new Map<string, string>();
  let chunks = 0;
  reader.struct((field, type) => {
    if (type !== ThriftType.LIST) return false;
    if (field === 2) {
      reader.list((element) => {
        if (schema.length === MAX_ELEMENTS) {
          throw damaged(`its schema must be below ${MAX_ELEMENTS}`);
        }
        schema.push(readElement(reader, element));
      });
    } else if (field === 4) {
      reader.list((element) => {
        const group = readGroup(reader, element, MAX_CHUNKS - chunks);
        chunks += group.chunks.length + 1;
        groups.push(group);
      });
    } else if (field === 5) {
      reader.list((element) => readNote(reader, element, notes));
    } else {
      return false;
    }
    return true;
  });
  return { schema, groups, notes };
}

function structOf(
  reader: ThriftReader,
  type: number,
  read: (field: number, type: number) => boolean,
): void {
  if (type !== ThriftType.STRUCT) {
    throw damaged(`its metadata must have a struct, got type ${type}`);
  }
  reader.struct(read);
}

function isInteger(type: number): boolean {
  return type === ThriftType.I16 || type === ThriftType.I32 || type === ThriftType.I64;
}

/** SchemaElement: 1 type, 3 repetition, 4 name, 5 number of children. */
function readElement(reader: ThriftReader, type: number): SchemaElement {
  const element = { name: "", type: null as number | null, repetition: REQUIRED, children: 0 };
  structOf(reader, type, (field, type) => {
    if (field === 4 && type === ThriftType.BINARY) element.name = reader.text();
    else if (!isInteger(type)) return false;
    else if (field === 1) element.type = reader.integer();
    else if (field === 3) element.repetition = reader.integer();
    else if (field === 5) element.children = reader.integer();
    else return false;
    return true;
  });
  return element;
}

/** RowGroup: 1 columns, 3 rows. */
function readGroup(reader: ThriftReader, type: number, most: number): RowGroup {
  const chunks: Chunk[] = [];
  let rows = 0;
  if (most <= 0) throw damaged(`its row groups must have fewer than ${MAX_CHUNKS} columns in all`);
  structOf(reader, type, (field, type) => {
    if (field === 1 && type === ThriftType.LIST) {
      reader.list((element) => {
        if (chunks.length >= most) {
          throw damaged(`its row groups must have fewer than ${MAX_CHUNKS} columns in all`);
        }
        chunks.push(readChunk(reader, element));
      });
    } else if (field === 3 && isInteger(type)) rows = reader.integer();
    else return false;
    return true;
  });
  if (rows < 0) throw damaged(`a row group must have at least 0 rows, got ${rows}`);
  return { rows, chunks };
}

/** ColumnChunk: 1 path of another file, 3 metadata. */
function readChunk(reader: ThriftReader, type: number): Chunk {
  let chunk: Chunk | null = null;
  structOf(reader, type, (field, type) => {
    if (field === 1) throw damaged("its columns must lie in the file itself");
    if (field !== 3 || type !== ThriftType.STRUCT) return false;
    chunk = readChunkMetadata(reader);
    return true;
  });
  return chunk ?? { path: "", codec: 0, values: 0, start: HEADER_BYTES, size: 0 };
}

/** ColumnMetaData: 3 path, 4 codec, 5 values, 7 packed size, 9 data pages, 11 dictionary. */
function readChunkMetadata(reader: ThriftReader): Chunk {
  const path: string[] = [];
  const numbers = new Map<number, number>();
  reader.struct((field, type) => {
    if (field === 3 && type === ThriftType.LIST) {
      reader.list((element) => {
        if (element !== ThriftType.BINARY || path.length === MAX_NESTING) {
          throw damaged(`a column's path must be at most ${MAX_NESTING} names`);
        }
        path.push(reader.text());
      });
    } else if ([4, 5, 7, 9, 11].includes(field) && isInteger(type)) {
      numbers.set(field, reader.integer());
    } else return false;
    return true;
  });
  const at = (field: number) => numbers.get(field) ?? 0;
  // Writers that have no dictionary leave its place out, or at 0.
  const dictionary = at(11) > 0 ? at(11) : at(9);
  const size = at(7);
  if (size < 0) throw damaged(`a column must have at least 0 bytes, got ${size}`);
  return {
    path: path.join("."),
    codec: at(4),
    values: at(5),
    start: Math.min(at(9), dictionary),
    size,
  };
}

/** KeyValue: 1 key, 2 value. */
function readNote(reader: ThriftReader, type: number, notes: Map<string, string>): void {
  let key: string | null = null, value = "";
  structOf(reader, type, (field, type) => {
    if (type !== ThriftType.BINARY) return false;
    if (field === 1) key = reader.text();
    else if (field === 2) value = reader.text();
    else return false;
    return true;
  });
  if (key !== null) notes.set(key, value);
}

/** The leaves of a schema, which lists a tree depth first; those that may repeat are left out. */
function leafColumns(schema: readonly SchemaElement[]): ParquetColumn[] {
  const columns: ParquetColumn[] = [];
  let next = 1;
  const walk = (count: number, path: readonly string[], levels: number, repeats: boolean) => {
    if (path.length > MAX_NESTING) {
      throw damaged(`its schema must nest at most ${MAX_NESTING} deep`);
    }
    for (let i = 0; i < count; i++) {
      const element = schema[next++];
      if (!element) throw damaged("its schema must have as many elements as its groups say");
      const { name, type, repetition, children } = element;
      const inner = [...path, name];
      const level = levels + (repetition === OPTIONAL ? 1 : 0);
      const repeated = repeats || repetition === REPEATED;
      if (children > 0) walk(children, inner, level, repeated);
      else if (type !== null && !repeated) columns.push({ path: inner, type, maxLevel: level });
    }
  };
  walk(schema[0]?.children ?? 0, [], 0, false);
  return columns;
}
