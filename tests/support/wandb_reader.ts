/**
 * Reads the offline log of Weights & Biases with a decoder that is not ours: protobufjs, on the fields
 * of wandb/proto/wandb_internal.proto that a run of scalars has. Blocks are read as LevelDB's
 * documentation describes them, and checksums are computed bit by bit.
 *
 * @module
 */
import protobuf from "protobufjs";
import { assertEquals } from "./assert.ts";

const SCHEMA = `
syntax = "proto3";
package wandb_internal;

message Record {
  int64 num = 1;
  oneof record_type {
    HistoryRecord history = 2;
    SummaryRecord summary = 3;
    RunRecord run = 17;
    RunExitRecord exit = 18;
    HeaderRecord header = 21;
    FooterRecord footer = 22;
  }
}
message Item { string key = 1; repeated string nested_key = 2; string value_json = 16; }
message Items { repeated Item update = 1; }
message Step { int64 num = 1; }
message HistoryRecord { repeated Item item = 1; Step step = 2; }
message SummaryRecord { repeated Item update = 1; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message RunRecord {
  string run_id = 1; string project = 3; Items config = 4; string display_name = 8;
  Timestamp start_time = 17;
}
message RunExitRecord { int32 exit_code = 1; int32 runtime = 2; }
message VersionInfo { string producer = 1; }
message HeaderRecord { VersionInfo version_info = 1; }
message FooterRecord {}
`;

const RECORD = protobuf.parse(SCHEMA).root.lookupType("wandb_internal.Record");

/** A record as a plain object; names are those of protobufjs. */
// deno-lint-ignore no-explicit-any
export type WandbRecord = Record<string, any>;

/** Items as an object. */
export function itemsOf(
  items: readonly { readonly key: string; readonly valueJson: string }[],
): Record<string, unknown> {
  return Object.fromEntries(items.map(({ key, valueJson }) => [key, JSON.parse(valueJson)]));
}

/** The records of a log, whose checksums and cuts are checked. */
export function readWandb(bytes: Uint8Array): WandbRecord[] {
  assertEquals([...bytes.subarray(0, 7)], [0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0]);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const records: WandbRecord[] = [];
  let parts: number[] | null = null;
  for (let at = 7; at < bytes.length;) {
    const left = 32_768 - at % 32_768;
    if (left < 7) {
      assertEquals(bytes.subarray(at, at + left).every((byte) => byte === 0), true, "padding");
      at += left;
      continue;
    }
    const length = view.getUint16(at + 4, true), type = bytes[at + 6]!;
    assertEquals(length <= left - 7, true, "a part ends in its block");
    assertEquals(view.getUint32(at, true), crc(bytes.subarray(at + 6, at + 7 + length)));
    const begins = type === 1 || type === 2;
    assertEquals(parts === null, begins, "a record begins where none is open");
    parts = [...parts ?? [], ...bytes.subarray(at + 7, at + 7 + length)];
    if (type === 1 || type === 4) {
      records.push(RECORD.toObject(RECORD.decode(Uint8Array.from(parts)), { longs: Number }));
      parts = null;
    }
    at += 7 + length;
  }
  assertEquals(parts, null, "the last record ends");
  return records;
}

/** CRC-32 of ISO 3309, bit by bit. */
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}
