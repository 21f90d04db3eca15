/**
 * Writes TFRecord files and their messages: the latter with an encoder that is not ours, protobufjs, on
 * the schema as TensorFlow publishes it (tensorflow/core/example/example.proto, feature.proto).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { crc32c } from "../../formats/crc32c.ts";
import protobuf from "protobufjs";

const schema = (packed: boolean) => `
  syntax = "proto3";
  message BytesList { repeated bytes value = 1; }
  message FloatList { repeated float value = 1; }
  message Int64List { repeated int64 value = 1 [packed = ${packed}]; }
  message Feature {
    oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; }
  }
  message Features { map<string, Feature> feature = 1; }
  message Example { Features features = 1; }
`;

/** A tf.train.Example: lists of bytes and of whole numbers, and single floats. */
export function exampleBytes(
  values: Readonly<Record<string, readonly Uint8Array[] | readonly number[] | number>>,
  packed = true,
): Uint8Array<ArrayBuffer> {
  const { root } = protobuf.parse(schema(packed), { keepCase: true });
  const Example = root.lookupType("Example");
  const feature = Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (typeof value === "number") return [name, { float_list: { value: [value] } }];
      const isBytes = value.every((one) => one instanceof Uint8Array);
      return [name, isBytes ? { bytes_list: { value } } : { int64_list: { value } }];
    }),
  );
  const message = Example.fromObject({ features: { feature } });
  return Uint8Array.from(Example.encode(message).finish());
}

/** A file of records. */
export function tfRecordFile(records: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const masked = (bytes: Uint8Array) => {
    const crc = crc32c(bytes), own = new Uint8Array(4);
    const turned = ((crc >>> 15) | (crc << 17)) >>> 0;
    new DataView(own.buffer).setUint32(0, (turned + 0xa282ead8) % 2 ** 32, true);
    return own;
  };
  const parts = records.flatMap((record) => {
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(record.length), true);
    return [length, masked(length), record, masked(record)];
  });
  return Uint8Array.from(Buffer.concat(parts));
}
