/**
 * TFRecord files, and the tf.train.Example messages that TensorFlow Datasets writes into them. A record
 * is its length (8 bytes), the masked CRC-32C of that, its bytes, and the masked CRC-32C of them
 * (https://www.tensorflow.org/tutorials/load_data/tfrecord). A message is a map of features, each a list
 * of bytes, floats or whole numbers (tensorflow/core/example/feature.proto).
 *
 * @module
 */
import { maskedCrc32c } from "./crc32c.ts";
import { packedWhole, protobufFields } from "./protobuf_reader.ts";

const LENGTH_BYTES = 8, CRC_BYTES = 4;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read TFRecord: ${what}`);
}

/**
 * The records of a file, views of its bytes.
 *
 * @param whole Whether the bytes of records are checked; their lengths always are.
 * @throws {SyntaxError} When one is cut short or does not match its checksum; it names the byte.
 */
export function* tfRecords(bytes: Uint8Array, whole = true): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, record = 0; at < bytes.length; record++) {
    const where = `record ${record} at byte ${at}`;
    const start = at + LENGTH_BYTES + CRC_BYTES;
    if (start > bytes.length) {
      throw damaged(`${where} must have ${start - at} bytes of length, got ${bytes.length - at}`);
    }
    checkSum(
      bytes.subarray(at, at + LENGTH_BYTES),
      view,
      at + LENGTH_BYTES,
      `${where}: its length`,
    );
    const length = view.getBigUint64(at, true);
    const left = bytes.length - start - CRC_BYTES;
    if (length > BigInt(Math.max(0, left)) || left < 0) {
      throw damaged(`${where} must have ${length} bytes and a checksum, got ${left + CRC_BYTES}`);
    }
    const end = start + Number(length), content = bytes.subarray(start, end);
    if (whole) checkSum(content, view, end, `${where}: its bytes`);
    yield content;
    at = end + CRC_BYTES;
  }
}

function checkSum(content: Uint8Array, view: DataView, at: number, what: string): void {
  const stored = view.getUint32(at, true), computed = maskedCrc32c(content);
  if (stored === computed) return;
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  throw damaged(`${what} must match the checksum ${hex(stored)}, got ${hex(computed)}`);
}

/** Values of a feature: byte strings, or whole numbers; floats are passed over. */
export type Feature =
  | { readonly kind: "bytes"; readonly values: readonly Uint8Array[] }
  | { readonly kind: "whole"; readonly values: readonly number[] }
  | { readonly kind: "other" };

/**
 * The features of a tf.train.Example by their names.
 *
 * @throws {SyntaxError} When the bytes are none.
 */
export function readExample(bytes: Uint8Array): Map<string, Feature> {
  const features = new Map<string, Feature>();
  for (const entry of partsOf(bytes, 1).flatMap((map) => partsOf(map, 1))) {
    const name = new TextDecoder().decode(partsOf(entry, 1)[0]);
    const [value] = partsOf(entry, 2);
    features.set(name, value ? readFeature(value) : { kind: "other" });
  }
  return features;
}

/** The parts of a message below a field. */
function partsOf(message: Uint8Array, field: number): Uint8Array[] {
  return [...protobufFields(message)].flatMap((part) =>
    part.field === field && part.bytes ? [part.bytes] : []
  );
}

/** 1 a list of bytes, 2 of floats, 3 of whole numbers. */
function readFeature(bytes: Uint8Array): Feature {
  const [strings] = partsOf(bytes, 1), [numbers] = partsOf(bytes, 3);
  if (strings) return { kind: "bytes", values: partsOf(strings, 1) };
  if (!numbers) return { kind: "other" };
  const values = [...protobufFields(numbers)].flatMap(({ field, bytes, whole }) => {
    if (field !== 1) return [];
    return bytes ? packedWhole(bytes) : whole === null ? [] : [whole];
  });
  return { kind: "whole", values };
}
