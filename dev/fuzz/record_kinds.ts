/**
 * Files of many records, as files that are mutated.
 *
 * @module
 */
import { maskedCrc32c } from "../../formats/crc32c.ts";
import { Lmdb } from "../../formats/lmdb.ts";
import { ProtobufWriter } from "../../formats/protobuf_writer.ts";
import { readExample, tfRecords } from "../../formats/tfrecord.ts";
import type { FuzzFormat, FuzzSeed, ReadArray } from "./format.ts";
import { mutate, type Random } from "./mutate.ts";

/** Formats of files of records. */
export const RECORD_FORMATS = {
  "tfrecord": { read: readRecords, made: madeRecords, mutateInside: mutateRecord },
  "lmdb": { read: readDatabase, recorded: { folder: "formats", suffix: ".mdb" } },
} as const satisfies Record<string, FuzzFormat>;

function* readRecords(bytes: Uint8Array): Generator<ReadArray> {
  for (const record of tfRecords(bytes)) {
    for (const feature of readExample(record).values()) {
      if (feature.kind === "other") continue;
      yield { shape: [feature.values.length], data: feature.values };
    }
  }
}

function recordsOf(messages: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length + 16, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const message of messages) {
    view.setBigUint64(at, BigInt(message.length), true);
    view.setUint32(at + 8, maskedCrc32c(bytes.subarray(at, at + 8)), true);
    bytes.set(message, at + 12);
    view.setUint32(at + 12 + message.length, maskedCrc32c(message), true);
    at += 16 + message.length;
  }
  return bytes;
}

/** Two records of an image, a label and a list. */
function madeRecords(): FuzzSeed[] {
  const feature = (name: string, kind: number, list: (list: ProtobufWriter) => void) => {
    const value = new ProtobufWriter().message(kind, list).finish();
    return new ProtobufWriter().bytes(1, name).bytes(2, value).finish();
  };
  const example = (label: number) => {
    const features = new ProtobufWriter()
      .bytes(1, feature("image", 1, (list) => list.bytes(1, Uint8Array.of(1, 2, 3))))
      .bytes(1, feature("label", 3, (list) => list.bytes(1, Uint8Array.of(label, 0xac, 2))))
      .bytes(1, feature("id", 3, (list) => list.whole(1, label)));
    return new ProtobufWriter().bytes(1, features.finish()).finish();
  };
  return [{ name: "two.tfrecord", bytes: recordsOf([example(1), example(7)]) }];
}

/** Changes a message, not its record. */
function mutateRecord(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const messages = [...tfRecords(bytes)];
  const chosen = random.below(messages.length);
  messages[chosen] = mutate(messages[chosen]!, other, random);
  return recordsOf(messages);
}

function* readDatabase(bytes: Uint8Array): Generator<ReadArray> {
  const database = Lmdb.open(bytes.length, (at, length) => {
    if (at + length > bytes.length) throw new RangeError("Cannot read LMDB: it ends before");
    return bytes.subarray(at, at + length);
  });
  for (const entry of database.entries()) {
    yield { shape: [entry.length], data: database.value(entry) };
  }
}
