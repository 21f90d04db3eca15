/**
 * Writes tar archives as other programs do: any type of entry, and names as bytes.
 *
 * @module
 */

/** An entry; text is written in UTF-8. */
export interface TarItem {
  readonly name: string | Uint8Array;
  /** The type flag; "0", a file, unless it is given. */
  readonly type?: string;
  readonly target?: string | Uint8Array;
  readonly bytes?: Uint8Array;
  /** "ustar" unless it is given; "v7" has no magic. */
  readonly format?: "ustar" | "v7";
}

const bytesOf = (value: string | Uint8Array) =>
  typeof value === "string" ? new TextEncoder().encode(value) : value;

function octal(value: number, digits: number): Uint8Array {
  return bytesOf(value.toString(8).padStart(digits, "0"));
}

/** The blocks of one entry. */
export function tarItem(item: TarItem): Uint8Array {
  const { name, type = "0", target = "", bytes = new Uint8Array(0), format = "ustar" } = item;
  const blocks = new Uint8Array(512 + Math.ceil(bytes.length / 512) * 512);
  blocks.set(bytesOf(name).subarray(0, 100));
  blocks.set(octal(0o644, 7), 100);
  blocks.set(octal(bytes.length, 11), 124);
  blocks.set(octal(0, 11), 136);
  blocks[156] = type.charCodeAt(0);
  blocks.set(bytesOf(target).subarray(0, 100), 157);
  if (format === "ustar") blocks.set(bytesOf("ustar\x0000"), 257);
  blocks.fill(0x20, 148, 156);
  const sum = blocks.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  blocks.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  blocks.set(bytes, 512);
  return blocks;
}

/** What pax says of the entry that follows. */
export function paxItem(records: Readonly<Record<string, string | Uint8Array>>): TarItem {
  const parts = Object.entries(records).map(([key, value]) => {
    const rest = Uint8Array.of(...bytesOf(` ${key}=`), ...bytesOf(value), 0x0a);
    let length = rest.length;
    while (length !== rest.length + `${length}`.length) length = rest.length + `${length}`.length;
    return Uint8Array.of(...bytesOf(`${length}`), ...rest);
  });
  return { name: "pax", type: "x", bytes: Uint8Array.of(...parts.flatMap((part) => [...part])) };
}

/** A name that GNU writes before an entry: "L" its own, "K" its target. */
export function gnuLong(type: "L" | "K", name: string): TarItem {
  return { name: "././@LongLink", type, bytes: bytesOf(`${name}\0`) };
}

/** An archive with its end. */
export function tarOf(items: readonly TarItem[]): Uint8Array<ArrayBuffer> {
  const parts = [...items.map(tarItem), new Uint8Array(1024)];
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** An archive of files, whatever the length of their names. */
export function writeTar(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  return tarOf(
    files.flatMap((file): TarItem[] =>
      file.name.length > 100 ? [paxItem({ path: file.name }), file] : [file]
    ),
  );
}
