/**
 * Writes zip archives as other programs do: names as bytes, attributes, repeats, sizes behind the data.
 *
 * @module
 */
import { crc32 } from "../../formats/zip.ts";

/** A file; text is written in UTF-8. */
export interface ZipItem {
  readonly name: string | Uint8Array;
  readonly bytes: Uint8Array;
  /** 0x800 says that the name is UTF-8; 8 puts the sizes behind the data. None unless given. */
  readonly flags?: number;
  /** Type and rights as Unix has them: 0o120777 is a link. */
  readonly mode?: number;
  /** Whether sizes are in an extra field of zip64. */
  readonly zip64?: boolean;
  /** A second name, in Info-ZIP's extra field. */
  readonly unicodePath?: string;
}

const bytesOf = (value: string | Uint8Array) =>
  typeof value === "string" ? new TextEncoder().encode(value) : value;

/** Numbers of 2 and 4 bytes, one after the other. */
function fields(...list: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): number[] {
  return list.flatMap(([count, value]) =>
    Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** i) & 255)
  );
}

/** An archive of stored files. */
export function zipOf(items: readonly ZipItem[]): Uint8Array<ArrayBuffer> {
  const body: number[] = [], directory: number[] = [];
  for (const { name, bytes, flags = 0, mode = 0o100644, zip64, unicodePath } of items) {
    const label = bytesOf(name), crc = crc32(bytes), at = body.length;
    const late = (flags & 8) !== 0, full = 0xffffffff, size = bytes.length;
    const second = unicodePath === undefined ? [] : bytesOf(unicodePath);
    const extra = [
      ...(zip64 ? fields([2, 1], [2, 24], [8, size], [8, size], [8, at]) : []),
      ...(unicodePath === undefined ? [] : [
        ...fields([2, 0x7075], [2, second.length + 5]),
        1,
        ...fields([4, crc32(label)]),
        ...second,
      ]),
    ];
    const sizes = (crc: number, size: number) => fields([4, crc], [4, size], [4, size]);
    const start = fields([2, 20], [2, flags], [2, 0], [4, 0x210000]);
    body.push(...fields([4, 0x04034b50]), ...start, ...(late ? sizes(0, 0) : sizes(crc, size)));
    body.push(...fields([2, label.length], [2, 0]), ...label, ...bytes);
    if (late) body.push(...fields([4, 0x08074b50]), ...sizes(crc, size));
    directory.push(...fields([4, 0x02014b50], [2, 3 << 8 | 20]), ...start);
    directory.push(...sizes(crc, zip64 ? full : size));
    directory.push(...fields([2, label.length], [2, extra.length], [2, 0], [2, 0], [2, 0]));
    directory.push(...fields([2, 0], [2, mode], [4, zip64 ? full : at]), ...label, ...extra);
  }
  const count = items.length;
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count]);
  end.push(...fields([4, directory.length], [4, body.length], [2, 0]));
  return Uint8Array.from([...body, ...directory, ...end]);
}
