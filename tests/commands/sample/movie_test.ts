import { Movie, walkGif } from "../../../commands/sample/movie.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const SIZE = { height: 4, width: 4, channels: 1 };

/** Times of the frames of a GIF in milliseconds: its graphic control extensions. */
function delays(gif: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at + 8 <= gif.length; at++) {
    const isControl = gif[at] === 0x21 && gif[at + 1] === 0xf9 && gif[at + 2] === 4 &&
      gif[at + 7] === 0;
    if (isControl) found.push(10 * (gif[at + 4]! | gif[at + 5]! << 8));
  }
  return found;
}

const width = (gif: Uint8Array) => gif[6]! | gif[7]! << 8;

/** Shows a movie the moves that it wants of batches of these sizes. */
function show(movie: Movie, moves: number, batches: readonly number[]): number[] {
  const wanted: number[] = [];
  for (const count of batches) {
    for (let move = 0; move < moves; move++) {
      if (!movie.wants(move)) continue;
      if (count === batches[0]) wanted.push(move);
      const values = new Float32Array(count * 16).fill(move / moves);
      movie.add(move, { before: values, predicted: values, after: values });
    }
  }
  return wanted;
}

const timesteps = (moves: number) => Array.from({ length: moves }, (_, i) => moves - i);

Deno.test("Movie shows the noise, every step of a short way, and the end for longer", () => {
  const movie = new Movie(SIZE, timesteps(5), false);
  assertEquals(show(movie, 5, [3]), [0, 1, 2, 3, 4]);
  assertEquals(delays(movie.gif()), [400, 400, 400, 400, 400, 2000]);
  const predictions = new Movie(SIZE, timesteps(5), true);
  show(predictions, 5, [3]);
  assertEquals(delays(predictions.gif()).length, 5);
});

Deno.test("Movie takes at most 60 steps of a long way, the last one always", () => {
  for (const moves of [60, 61, 1000]) {
    const movie = new Movie(SIZE, timesteps(moves), true);
    const wanted = show(movie, moves, [1]);
    assert(wanted.length <= 60 && wanted.length > 30, `${wanted.length} of ${moves}`);
    assertEquals(wanted.at(-1), moves - 1);
    assertEquals(delays(movie.gif()).length, wanted.length);
  }
});

Deno.test("Movie leaves out moves without a step", () => {
  const movie = new Movie(SIZE, [9, 8, null, 9, 8, 7], false);
  assertEquals([0, 1, 2, 3, 4, 5].map((move) => movie.wants(move)), [
    ...[true, true, false, true, true, true],
  ]);
});

Deno.test("Movie lays out the images of all batches, the first 64 of many", () => {
  const widths = [[16], [16, 16, 5], [16, 16, 16, 16, 16], [1]].map((batches) => {
    const movie = new Movie(SIZE, timesteps(2), false);
    show(movie, 2, batches);
    return width(movie.gif());
  });
  // Columns of the grid, 4 x 4 pixels and one between them, enlarged.
  const grid = (columns: number, scale: number) => (5 * columns + 1) * scale;
  assertEquals(widths, [grid(4, 24), grid(7, 13), grid(8, 12), grid(1, 48)]);
});

Deno.test("walkGif() goes there and back and rests at the ends", () => {
  const images = Uint8Array.from({ length: 5 * 16 }, (_, i) => 50 * Math.floor(i / 16));
  const times = delays(walkGif(images, 5, SIZE));
  // Ends for 800 ms each, three between, twice.
  assertEquals(times, new Array(2 + 3 + 2 + 3).fill(400));
  assertEquals(delays(walkGif(images.subarray(0, 32), 2, SIZE)).length, 4);
});
