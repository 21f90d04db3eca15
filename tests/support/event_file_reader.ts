/**
 * Reads event files with a decoder that is not ours: protobufjs, on the schema as TensorFlow publishes
 * it, cut to the fields that scalars, images and texts need. Checksums are computed bit by bit.
 *
 * @module
 */
import protobuf from "protobufjs";
import { assertEquals } from "./assert.ts";

// tensorflow/core/util/event.proto, framework/{summary,tensor,tensor_shape,types}.proto.
const SCHEMA = `
syntax = "proto3";
package tensorflow;

message Event {
  double wall_time = 1;
  int64 step = 2;
  oneof what {
    string file_version = 3;
    bytes graph_def = 4;
    Summary summary = 5;
    SessionLog session_log = 7;
  }
}
message SessionLog {
  enum SessionStatus { STATUS_UNSPECIFIED = 0; START = 1; STOP = 2; CHECKPOINT = 3; }
  SessionStatus status = 1;
  string checkpoint_path = 2;
  string msg = 3;
}
message SummaryMetadata {
  message PluginData { string plugin_name = 1; bytes content = 2; }
  PluginData plugin_data = 1;
  string display_name = 2;
  string summary_description = 3;
}
message Summary {
  message Image {
    int32 height = 1;
    int32 width = 2;
    int32 colorspace = 3;
    bytes encoded_image_string = 4;
  }
  message Value {
    string node_name = 7;
    string tag = 1;
    SummaryMetadata metadata = 9;
    oneof value { float simple_value = 2; bytes obsolete_old_style_histogram = 3;
      Image image = 4; TensorProto tensor = 8; }
  }
  repeated Value value = 1;
}
enum DataType { DT_INVALID = 0; DT_FLOAT = 1; DT_STRING = 7; }
message TensorShapeProto {
  message Dim { int64 size = 1; string name = 2; }
  repeated Dim dim = 2;
}
message TensorProto {
  DataType dtype = 1;
  TensorShapeProto tensor_shape = 2;
  bytes tensor_content = 4;
  repeated bytes string_val = 8;
}
`;

const Event = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("tensorflow.Event");

/** A value as protobufjs gives it. */
export interface ReadValue {
  readonly tag: string;
  readonly simple_value?: number;
  readonly image?: {
    readonly height: number;
    readonly width: number;
    readonly colorspace: number;
    readonly encoded_image_string: Uint8Array;
  };
  readonly tensor?: {
    readonly dtype: string;
    readonly tensor_shape: { readonly dim: readonly { readonly size: number }[] };
    readonly string_val: readonly Uint8Array[];
  };
  readonly metadata?: { readonly plugin_data: { readonly plugin_name: string } };
}

/** An event as protobufjs gives it. */
export interface ReadEvent {
  readonly wall_time: number;
  readonly step: number;
  readonly file_version?: string;
  readonly summary?: { readonly value: readonly ReadValue[] };
  readonly session_log?: { readonly status: string };
}

/** CRC-32C by the definition: one bit at a time. */
function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}

/** What a masked checksum was before (tensorflow/core/lib/hash/crc32c.h, Unmask). */
function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** All events of a file; fails where a length or a checksum is wrong. */
export function readEventFile(bytes: Uint8Array): ReadEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const message = bytes.subarray(at + 12, at + 12 + length);
    assertEquals(message.length, length, `the record at byte ${at} is cut`);
    const found = [view.getUint32(at + 8, true), view.getUint32(at + 12 + length, true)];
    const expected = [checksum(bytes.subarray(at, at + 8)), checksum(message)];
    assertEquals(found.map(unmask), expected, `checksums of the record at byte ${at}`);
    const decoded = Event.toObject(Event.decode(message), {
      ...{ longs: Number, enums: String, arrays: true },
    });
    // Absent numbers are zeros.
    events.push({ step: 0, wall_time: 0, ...decoded });
    at += 16 + length;
  }
  return events;
}

/** The same, of a path. */
export async function readEvents(path: string): Promise<ReadEvent[]> {
  return readEventFile(await Deno.readFile(path));
}

/**
 * What a reader shows of several files of a run, in order: scalars by tag and step. An event that
 * says that a run goes on makes it forget what it had of that step and later ones
 * (tensorboard/backend/event_processing/event_accumulator.py).
 */
export function scalarsOf(
  files: readonly (readonly ReadEvent[])[],
): Map<string, Map<number, number>> {
  const series = new Map<string, Map<number, number>>();
  for (const event of files.flat()) {
    if (event.session_log?.status === "START") {
      for (const points of series.values()) {
        for (const step of points.keys()) if (step >= event.step) points.delete(step);
      }
    }
    for (const { tag, simple_value: value } of event.summary?.value ?? []) {
      if (value === undefined) continue;
      const points = series.get(tag) ?? new Map<number, number>();
      assertEquals(points.has(event.step), false, `${tag} has step ${event.step} twice`);
      series.set(tag, points.set(event.step, value));
    }
  }
  return series;
}
