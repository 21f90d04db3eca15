/**
 * Writes event files, what TensorBoard reads: records of a length and a message `tensorflow.Event`,
 * each with a masked CRC-32C.
 *
 *     u64 length, u32 crc(length), bytes message, u32 crc(message)        all little-endian
 *
 * Only the fields that a reader needs are written (tensorflow/core/util/event.proto and
 * framework/summary.proto); any reader of protocol buffers takes absent ones for their defaults.
 *
 * @module
 */
import { maskedCrc32c } from "./crc32c.ts";
import { ProtobufWriter } from "./protobuf_writer.ts";

/** A PNG with its size. */
export interface EventImage {
  readonly png: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** 1 (grey), 3 (RGB) or 4 (RGBA). */
  readonly channels: number;
}

/** A value under a tag; a slash in a tag makes a group. */
export type EventValue =
  & { readonly tag: string }
  & (
    | { readonly scalar: number }
    | { readonly image: EventImage }
    /** Markdown. */
    | { readonly text: string }
  );

/** What happens at a moment. */
export type TrainingEvent =
  & {
    /** Seconds since 1970. */
    readonly wallTime: number;
    /** Completed steps. */
    readonly step: number;
  }
  & (
    | { readonly values: readonly EventValue[] }
    /** A run goes on here: readers forget what earlier files have of this step and later ones. */
    | { readonly sessionStart: true }
  );

// Fields of tensorflow.Event.
const WALL_TIME = 1, STEP = 2, FILE_VERSION = 3, SUMMARY = 5, SESSION_LOG = 7;
/** SessionLog.SessionStatus.START. */
const SESSION_START = 1;
/** DataType.DT_STRING. */
const STRINGS = 7;

/** The first record of every file. */
export function eventFileHeader(wallTime: number): Uint8Array<ArrayBuffer> {
  const event = new ProtobufWriter().double(WALL_TIME, wallTime);
  return record(event.bytes(FILE_VERSION, "brain.Event:2").finish());
}

/**
 * An event as a record.
 *
 * @throws {RangeError} When the step is no whole number from 0 to 2^53 - 1.
 */
export function encodeEvent(event: TrainingEvent): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter().double(WALL_TIME, event.wallTime).whole(STEP, event.step);
  if ("sessionStart" in event) {
    writer.message(SESSION_LOG, (session) => session.whole(1, SESSION_START));
  } else {
    writer.message(SUMMARY, (summary) => {
      for (const value of event.values) summary.message(1, (inner) => writeValue(inner, value));
    });
  }
  return record(writer.finish());
}

/** A `Summary.Value`: tag 1, simple_value 2, image 4, tensor 8, metadata 9. */
function writeValue(writer: ProtobufWriter, value: EventValue): void {
  writer.bytes(1, value.tag);
  if ("scalar" in value) {
    writer.float(2, value.scalar);
  } else if ("image" in value) {
    const { height, width, channels, png } = value.image;
    writer.message(4, (image) => {
      image.whole(1, height).whole(2, width).whole(3, channels).bytes(4, png);
    });
  } else {
    // A tensor of one string; the plug-in for texts wants to be named.
    writer.message(8, (tensor) => {
      tensor.whole(1, STRINGS);
      tensor.message(2, (shape) => shape.message(2, (dimension) => dimension.whole(1, 1)));
      tensor.bytes(8, value.text);
    });
    writer.message(9, (metadata) => metadata.message(1, (plugin) => plugin.bytes(1, "text")));
  }
}

/** A message with its length and the checksums of both. */
function record(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + message.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(message.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(message, 12);
  view.setUint32(12 + message.length, maskedCrc32c(message), true);
  return bytes;
}
