import { Strip } from "../../../commands/sample/strip.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const SIZE = { height: 32, width: 32, channels: 1 };
const LENGTH = 1024;

/** Shows a strip a batch of flat images: x_t is `value(move, i)`, the prediction is its negative. */
function show(
  strip: Strip,
  moves: number,
  count: number,
  value: (move: number, i: number) => number,
) {
  const wanted: number[] = [];
  for (let move = 0; move < moves; move++) {
    if (!strip.wants(move)) continue;
    wanted.push(move);
    const before = Float32Array.from({ length: count * LENGTH }, (_, k) => {
      return value(move, Math.floor(k / LENGTH));
    });
    strip.add(move, { before, predicted: before.map((x) => -x), after: before });
  }
  return wanted;
}

const timesteps = (moves: number) => Array.from({ length: moves }, (_, i) => moves - 1 - i);

Deno.test("Strip picks steps evenly, the first and the last among them", () => {
  assertEquals(show(new Strip(SIZE, timesteps(50), 8), 50, 1, () => 0), [
    ...[0, 7, 14, 21, 28, 35, 42, 49],
  ]);
  assertEquals(show(new Strip(SIZE, timesteps(5), 8), 5, 1, () => 0), [0, 1, 2, 3, 4]);
  assertEquals(show(new Strip(SIZE, timesteps(5), 1), 5, 1, () => 0), [4]);
  const moves = [9, 8, null, 9, 8, 7];
  assertEquals(show(new Strip(SIZE, moves, 5), 6, 1, () => 0), [0, 1, 3, 4, 5]);
});

Deno.test("Strip.picture() has x_t over the prediction in each column, and four images at most", () => {
  const strip = new Strip(SIZE, timesteps(9), 3);
  const value = (move: number, i: number) => (move * 10 + i) / 100;
  assertEquals(show(strip, 9, 6, value), [0, 4, 8]);
  const { width, height, channels, data } = strip.picture(["000000", "1", "2", "000123", "4", "5"]);
  assertEquals(channels, 3);
  const grey = (x: number, y: number) => {
    const [r, g, b] = data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3);
    assert(r === g && g === b);
    return r!;
  };
  // Columns end at the right border, rows of a cell at the lower one: gap 4, cells of 64.
  [0, 4, 8].forEach((move, k) => {
    const x = width - (3 - k) * 68 + 32;
    for (let row = 0; row < 4; row++) {
      const bottom = height - (3 - row) * (2 * 64 + 1 + 8) - 8;
      const byte = (v: number) => Math.round(Math.fround(v) * 127.5 + 127.5);
      assertEquals(grey(x, bottom - 32), byte(-value(move, row)), `prediction ${move} ${row}`);
      assertEquals(grey(x, bottom - 65 - 32), byte(value(move, row)), `x_t ${move} ${row}`);
    }
  });
  // Something is written above each column and beside each row.
  const inked = (left: number, top: number, right: number, bottom: number) => {
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) if (grey(x, y) < 100) return true;
    }
    return false;
  };
  assert(inked(width - 68, 0, width - 4, 16));
  assert(inked(0, 20, width - 3 * 68 - 4, 60));
});

Deno.test("Strip.picture() shows colours as they are", () => {
  const strip = new Strip({ height: 2, width: 2, channels: 3 }, [0], 1);
  const before = Float32Array.from({ length: 12 }, (_, i) => [1, 0, -1][i % 3]!);
  strip.add(0, { before, predicted: before, after: before });
  const { width, height, data } = strip.picture(["0"]);
  const at = ((height - 20) * width + width - 20) * 3;
  assertEquals([...data.subarray(at, at + 3)], [255, 128, 0]);
});
