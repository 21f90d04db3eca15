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

Deno.test("packLifetimes() refuses a tensor larger than a buffer and names it", () => {
  assertThrows(() => packLifetimes([life(5000, 0, 1, "big")], 256, 4096), RangeError, "tensor big");
});
