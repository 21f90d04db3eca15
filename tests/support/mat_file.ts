/**
 * Writes small Level 5 MAT-files of bytes, as chapter 1 of The MathWorks' "MAT-File Format" says.
 *
 * @module
 */

function element(type: number, content: Uint8Array): number[] {
  const { length } = content;
  if (length > 0 && length <= 4) {
    return [type, 0, length, 0, ...content, ...new Array(4 - length).fill(0)];
  }
  const tag = new Uint8Array(Uint32Array.of(type, length).buffer);
  return [...tag, ...content, ...new Array((8 - (length % 8)) % 8).fill(0)];
}

/** A matrix of class uint8. */
export function matVariable(
  name: string,
  shape: readonly number[],
  data: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const body = [
    ...element(6, new Uint8Array(Uint32Array.of(9, 0).buffer)),
    ...element(5, new Uint8Array(Int32Array.from(shape).buffer)),
    ...element(1, new TextEncoder().encode(name)),
    ...element(2, data),
  ];
  return Uint8Array.from(element(14, Uint8Array.from(body)));
}

/** A file of variables. */
export function matFile(variables: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(128).fill(0x20);
  header.set(new TextEncoder().encode("MATLAB 5.0 MAT-file"));
  header.set([0, 1, 0x49, 0x4d], 124);
  return Uint8Array.from([...header, ...variables.flatMap((variable) => [...variable])]);
}
