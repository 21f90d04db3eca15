/**
 * The transaction log of Weights & Biases, `run-ID.wandb`: what a client that is offline writes, and
 * `wandb sync` sends. Messages `wandb_internal.Record` (wandb/proto/wandb_internal.proto) lie in the
 * log format of LevelDB (google/leveldb, doc/log_format.md), after a header of its own:
 *
 *     ":W&B", u16 0xBEE1, u8 0                                      7 bytes, part of the first block
 *     u32 crc32(type, data), u16 length, u8 type, data              in blocks of 32,768 bytes
 *
 * all little-endian. A message that does not fit into what is left of a block is cut. The checksum is
 * that of zlib, where LevelDB has a masked CRC-32C.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { ProtobufWriter } from "./protobuf_writer.ts";

const BLOCK = 32_768, HEADER = 7;
const IDENT = ":W&B", MAGIC = 0xbee1, VERSION = 0;
const FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4;

// Fields of wandb_internal.Record.
const NUM = 1, HISTORY = 2, SUMMARY = 3, RUN = 17, EXIT = 18, FILE_HEADER = 21, FOOTER = 22;

/** Values by name; each goes as JSON. */
export type WandbValues = Readonly<Record<string, unknown>>;

/** What a log has of a run. */
export interface WandbRun {
  /** Identifies the run in its project: small letters and digits. */
  readonly id: string;
  readonly project: string;
  /** Name for a person. */
  readonly name: string;
  readonly config: WandbValues;
  /** Seconds since 1970. */
  readonly begun: number;
  readonly ended: number;
  /** Rows by growing step. */
  readonly history: readonly WandbRow[];
}

/** What was logged of a step. */
export interface WandbRow {
  readonly step: number;
  /** Seconds since 1970. */
  readonly time: number;
  readonly values: WandbValues;
}

/**
 * The bytes of a run's log, that of a run that has ended well.
 *
 * @param producer Who writes, as in "diffract 0.1.0".
 * @throws {RangeError} When a step is no whole number from 0 to 2^53 - 1.
 */
export function encodeWandb(run: WandbRun, producer: string): Uint8Array<ArrayBuffer> {
  const runtime = Math.max(0, Math.floor(run.ended - run.begun));
  const latest: Record<string, unknown> = {};
  const log = new RecordLog();
  log.add(FILE_HEADER, (header) => {
    header.message(1, (version) => version.bytes(1, producer));
  });
  log.add(RUN, (record) => {
    record.bytes(1, run.id).bytes(3, run.project);
    record.message(4, (config) => writeItems(config, run.config));
    record.bytes(8, run.name);
    record.message(17, (time) => {
      const seconds = Math.floor(run.begun);
      time.whole(1, seconds).whole(2, Math.floor((run.begun - seconds) * 1e9));
    });
  });
  for (const { step, time, values } of run.history) {
    const row = { ...values, _step: step, _timestamp: time, _runtime: time - run.begun };
    Object.assign(latest, row);
    log.add(HISTORY, (history) => {
      writeItems(history, row);
      history.message(2, (inner) => inner.whole(1, step));
    });
  }
  log.add(SUMMARY, (summary) => writeItems(summary, { ...latest, _wandb: { runtime } }));
  log.add(EXIT, (exit) => exit.whole(2, runtime));
  log.add(FOOTER, () => {});
  return log.finish();
}

/** Items of a config, a row or a summary: key 1, value_json 16. */
function writeItems(writer: ProtobufWriter, values: WandbValues): void {
  for (const [key, value] of Object.entries(values)) {
    writer.message(1, (item) => item.bytes(1, key).bytes(16, JSON.stringify(value)));
  }
}

/** Numbered messages, cut into blocks. */
class RecordLog {
  readonly #parts: Uint8Array[] = [];
  #length = 0;
  #count = 0;

  constructor() {
    const header = new Uint8Array(HEADER), view = new DataView(header.buffer);
    header.set(new TextEncoder().encode(IDENT));
    view.setUint16(4, MAGIC, true);
    view.setUint8(6, VERSION);
    this.#push(header);
  }

  /** Adds a message with one field beside its number. */
  add(field: number, write: (inner: ProtobufWriter) => void): void {
    this.#cut(new ProtobufWriter().whole(NUM, ++this.#count).message(field, write).finish());
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #cut(data: Uint8Array): void {
    let at = 0, begun = false, ends = false;
    while (!ends) {
      const left = BLOCK - this.#length % BLOCK;
      if (left < HEADER) {
        this.#push(new Uint8Array(left));
        continue;
      }
      const part = data.subarray(at, at + left - HEADER);
      at += part.length;
      ends = at === data.length;
      this.#record(begun ? ends ? LAST : MIDDLE : ends ? FULL : FIRST, part);
      begun = true;
    }
  }

  #record(type: number, data: Uint8Array): void {
    const header = new Uint8Array(HEADER), view = new DataView(header.buffer);
    view.setUint32(0, crc32(data, crc32(Uint8Array.of(type))), true);
    view.setUint16(4, data.length, true);
    view.setUint8(6, type);
    this.#push(header);
    this.#push(data);
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }
}
