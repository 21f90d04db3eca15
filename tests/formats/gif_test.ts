import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { encodeGif } from "../../formats/gif.ts";

interface Frame {
  rgb: number[];
  delay: number;
}

/** Undoes GIF's LZW: codes of growing width, least significant bit first. */
function unLzw(minBits: number, bytes: number[], count: number): number[] {
  const clear = 1 << minBits;
  const out: number[] = [];
  let table: number[][] = [];
  let bits = minBits + 1, held = 0, heldBits = 0;
  let previous: number[] | undefined;
  const reset = () => {
    table = Array.from({ length: clear + 2 }, (_, i) => [i]);
    bits = minBits + 1;
    previous = undefined;
  };
  reset();
  for (const byte of bytes) {
    held |= byte << heldBits;
    heldBits += 8;
    while (heldBits >= bits) {
      const code = held & ((1 << bits) - 1);
      held >>>= bits;
      heldBits -= bits;
      if (code === clear) {
        reset();
        continue;
      }
      if (code === clear + 1) return out;
      const entry = table[code] ?? [...previous!, previous![0]!];
      if (previous) table.push([...previous, entry[0]!]);
      out.push(...entry);
      previous = entry;
      if (table.length === 1 << bits && bits < 12) bits++;
    }
  }
  assertEquals(out.length, count);
  return out;
}

/** A reader of its own, so that the writer is not judged by itself. */
function readGif(bytes: Uint8Array) {
  assertEquals(new TextDecoder().decode(bytes.subarray(0, 6)), "GIF89a");
  const u16 = (at: number) => bytes[at]! | bytes[at + 1]! << 8;
  const width = u16(6), height = u16(8);
  let at = 13;
  const colours = (flags: number) => {
    if (!(flags & 0x80)) return undefined;
    const size = 3 * 2 ** ((flags & 7) + 1);
    at += size;
    return bytes.subarray(at - size, at);
  };
  const blocks = () => {
    const out: number[] = [];
    for (let size = bytes[at++]!; size > 0; size = bytes[at++]!) {
      out.push(...bytes.subarray(at, at + size));
      at += size;
    }
    return out;
  };
  const global = colours(bytes[10]!);
  const frames: Frame[] = [];
  let delay = 0, loops = false;
  while (bytes[at] !== 0x3b) {
    if (bytes[at] === 0x21) {
      const label = bytes[at + 1];
      at += 2;
      if (label === 0xf9) delay = 10 * u16(at + 2);
      if (label === 0xff) loops = true;
      blocks();
      continue;
    }
    assertEquals(bytes[at], 0x2c);
    const flags = bytes[at + 9]!;
    at += 10;
    const palette = (colours(flags) ?? global)!;
    const minBits = bytes[at++]!;
    const index = unLzw(minBits, blocks(), width * height);
    frames.push({ delay, rgb: index.flatMap((i) => [...palette.subarray(3 * i, 3 * i + 3)]) });
  }
  return { width, height, frames, loops };
}

Deno.test("encodeGif() keeps grey frames exactly, with their times", () => {
  const frames = [0, 1, 2].map((k) =>
    Uint8Array.from({ length: 40 * 30 }, (_, i) => i * (k + 1) ^ (i >> 4))
  );
  const options = { width: 40, height: 30, channels: 1, delay: 50, lastDelay: 1000 };
  const gif = readGif(encodeGif(frames, options));
  assertEquals([gif.width, gif.height, gif.loops], [40, 30, true]);
  assertEquals(gif.frames.map(({ delay }) => delay), [50, 50, 1000]);
  gif.frames.forEach(({ rgb }, k) =>
    assertEquals(rgb, [...frames[k]!].flatMap((grey) => [grey, grey, grey]))
  );
});

Deno.test("encodeGif() keeps colours of RGB frames close", () => {
  const side = 16;
  const frame = new Uint8Array(side * side * 3);
  for (let p = 0; p < side * side; p++) {
    frame.set([(p % side) * 16, Math.floor(p / side) * 16, 128], 3 * p);
  }
  const options = { width: side, height: side, channels: 3, loop: false };
  const gif = readGif(encodeGif([frame, frame.toReversed()], options));
  assertEquals(gif.loops, false);
  [frame, frame.toReversed()].forEach((expected, k) => {
    const worst = Math.max(...gif.frames[k]!.rgb.map((v, i) => Math.abs(v - expected[i]!)));
    assert(worst <= 24, `frame ${k} is off by ${worst}`);
  });
});

Deno.test("encodeGif() refuses frames that do not fit", () => {
  const options = { width: 2, height: 2, channels: 1 };
  assertThrows(() => encodeGif([], options), RangeError, "at least one frame");
  assertThrows(
    () => encodeGif([new Uint8Array(4), new Uint8Array(5)], options),
    RangeError,
    "frame 1 of 2x2x1 must have 4 bytes, got 5",
  );
  assertThrows(() => encodeGif([new Uint8Array(8)], { ...options, channels: 2 }), RangeError);
  assertThrows(() => encodeGif([new Uint8Array(0)], { ...options, width: 0 }), RangeError, "width");
});
