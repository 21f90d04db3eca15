/**
 * Writes a batch of CIFAR's python version as Python 2 did: protocol 2, bytes as strings.
 *
 * @module
 */
import { op, pickle, type PickleBytes } from "./torch_file.ts";

/** A batch, and what can be wrong with one. */
export interface CifarPickle {
  /** [count, 32, 32, 3]. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly key?: string;
  readonly shape?: readonly number[];
  readonly dtype?: string;
  readonly order?: string;
}

function text(value: string): PickleBytes {
  return [0x55, value.length, ...new TextEncoder().encode(value)];
}

function longString(bytes: Uint8Array): PickleBytes {
  const { length } = bytes;
  return [0x54, ...[0, 8, 16, 24].map((shift) => (length >>> shift) & 255), ...bytes];
}

/** The pickle. */
export function cifarPickle(
  { images, labels, key = "labels", shape, dtype = "u1", order = "|" }: CifarPickle,
): Uint8Array {
  const count = images.length / 3072;
  const planes = images.map((_, i) => {
    const n = Math.floor(i / 3072), c = Math.floor(i % 3072 / 1024);
    return images[n * 3072 + (i % 1024) * 3 + c]!;
  });
  const small = (value: number): PickleBytes => [0x4b, value];
  const sizes = shape ?? [count, 3072];
  const array = [
    op.global("numpy.core.multiarray", "_reconstruct"),
    op.mark,
    ...[op.global("numpy", "ndarray"), small(0), op.tuple1, text("b"), op.tuple],
    op.reduce,
    op.mark,
    small(1),
    ...[op.mark, ...sizes.map(op.int), op.tuple],
    ...[op.global("numpy", "dtype"), text(dtype), small(0), small(1), [0x87], op.reduce],
    ...[op.mark, small(3), text(order), op.none, op.none, op.none],
    ...[op.int(-1), op.int(-1), small(0), op.tuple],
    op.build,
    ...[op.bool(false), longString(planes), op.tuple],
    op.build,
  ];
  const list = [op.emptyList, op.mark, ...Array.from(labels, small), op.appends];
  return pickle(
    op.emptyDict,
    op.mark,
    ...[text("data"), ...array],
    ...[text(key), ...list],
    ...[text("batch_label"), text("training batch 1 of 5")],
    op.setItems,
  );
}
