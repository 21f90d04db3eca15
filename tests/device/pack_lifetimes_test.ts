import { packLifetimes } from "../../device/pack_lifetimes.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { randomValues } from "../support/gpu.ts";

const life = (byteLength: number, first: number, last: number, label = "t") => ({
  label,
  byteLength,
  first,
  last,
});

Deno.test("packLifetimes() lets tensors share bytes when their lives do not touch", () => {
  const lives = [life(1000, 0, 1), life(1000, 1, 2), life(1000, 2, 3)];
  assertEquals(packLifetimes(lives, 256, 1 << 20).bufferBytes, [2048]);
  assertEquals(packLifetimes(lives, 256, 1 << 20, false).bufferBytes, [3072]);
});

Deno.test("packLifetimes() never overlaps tensors that are alive together", () => {
  const values = randomValues(600, 5).map(Math.abs);
  const lives = Array.from({ length: 200 }, (_, i) => {
    const first = Math.floor(values[i]! * 50);
    return life(
      Math.ceil(values[200 + i]! * 5000),
      first,
      first + Math.floor(values[400 + i]! * 9),
    );
  });
  const { placements, bufferBytes } = packLifetimes(lives, 256, 16384);
  assert(bufferBytes.length > 1 && bufferBytes.every((bytes) => bytes <= 16384));
  lives.forEach((a, i) => {
    const p = placements[i]!;
    assertEquals(p.byteOffset % 256, 0);
    assert(p.byteOffset + a.byteLength <= bufferBytes[p.buffer]!);
    lives.slice(0, i).forEach((b, j) => {
      const q = placements[j]!;
      const together = a.first <= b.last && b.first <= a.last;
      const overlap = p.buffer === q.buffer && p.byteOffset < q.byteOffset + b.byteLength &&
        q.byteOffset < p.byteOffset + a.byteLength;
      assert(!(together && overlap), `${i} and ${j} overlap`);
    });
  });
});

Deno.test("packLifetimes() gives others the bytes of a tensor's ranges that are not alive", () => {
  const spans = [
    { start: 0, end: 1024, first: 0, last: 9 },
    { start: 1024, end: 3072, first: 6, last: 7 },
  ];
  const joined = { ...life(3072, 0, 9), spans };
  const lives = [joined, life(2048, 1, 5), life(1024, 8, 9), life(512, 6, 6)];
  const { placements, bufferBytes } = packLifetimes(lives, 256, 1 << 20);
  assertEquals(placements.map(({ byteOffset }) => byteOffset), [0, 1024, 1024, 3072]);
  assertEquals(bufferBytes, [3584]);
  // A part that is alive throughout keeps the whole away from others, wherever the rest may go.
  const late = [{ ...spans[0]! }, { start: 1024, end: 2048, first: 8, last: 9 }];
  const around = [life(4096, 0, 7), { ...life(2048, 0, 9), spans: late }];
  assertEquals(packLifetimes(around, 256, 1 << 20).bufferBytes, [6144]);
});

Deno.test("packLifetimes() never overlaps ranges that are alive together", () => {
  const values = randomValues(900, 7).map(Math.abs);
  let at = 0;
  const lives = Array.from({ length: 100 }, () => {
    const spans = Array.from({ length: 1 + Math.floor(values[at++]! * 2) }, () => {
      const first = Math.floor(values[at++]! * 50), bytes = 256 * Math.ceil(values[at++]! * 9);
      return { bytes, first, last: first + Math.floor(values[at++ % 900]! * 9) };
    });
    let start = 0;
    const placed = spans.map(({ bytes, ...rest }) => ({ ...rest, start, end: start += bytes }));
    const first = Math.min(...spans.map((span) => span.first));
    return { ...life(start, first, Math.max(...spans.map(({ last }) => last))), spans: placed };
  });
  const { placements } = packLifetimes(lives, 256, 1 << 15);
  const all = lives.flatMap(({ spans }, i) =>
    spans.map((span) => ({ ...span, i, ...placements[i]! }))
  );
  for (const [k, a] of all.entries()) {
    for (const b of all.slice(0, k)) {
      if (a.i === b.i || a.buffer !== b.buffer) continue;
      const together = a.first <= b.last && b.first <= a.last;
      const overlap = a.byteOffset + a.start < b.byteOffset + b.end &&
        b.byteOffset + b.start < a.byteOffset + a.end;
      assert(!(together && overlap), `${a.i} and ${b.i} overlap`);
    }
  }
});

Deno.test("packLifetimes() refuses a tensor larger than a buffer and names it", () => {
  assertThrows(() => packLifetimes([life(5000, 0, 1, "big")], 256, 4096), RangeError, "tensor big");
});
