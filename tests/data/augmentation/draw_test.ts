import {
  type AugmentSettings,
  colourNumbers,
  drawAugmentation,
  marginsOf,
} from "../../../data/augmentation/draw.ts";
import type { Matrix } from "../../../data/augmentation/matrices.ts";
import { EDM_SETTINGS } from "../../../data/augmentation/options.ts";
import { randomStream } from "../../../data/random_stream.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";

const SIDES = { height: 16, width: 8 };

/** Draws that are given, in order. */
function given(...values: number[]) {
  const next = () => values.shift() ?? NaN;
  return { uniform: next, below: next, normal: next };
}

const draw = (settings: Partial<AugmentSettings>, ...values: number[]) =>
  drawAugmentation({ ...EDM_SETTINGS, ...settings }, given(...values), SIDES);

/** Where a map takes a point of the plane, or a colour. */
const apply = (map: Matrix | undefined, ...point: number[]) =>
  map!.slice(0, -1).map((row) => [...point, 1].reduce((sum, value, k) => sum + value * row[k]!, 0));

Deno.test("drawAugmentation() turns squares by mirroring and swapping axes, and shifts halves to even", () => {
  const { move, label } = draw({ xflip: 1, rotateInt: 1, translateInt: 1 }, 1, 0, 1, 0, 0.75, 0, 0);
  // Half of 8 / 8 pixels, and 16 / 8 pixels back.
  assertEquals(move, [0, 0, 1, 0, -2]);
  assertEquals(label, [1, 1, 0, 0, -1]);
  assertEquals(draw({ rotateInt: 1 }, 2, 0), { move: [1, 1, 0, 0, 0], label: [1, 1] });
  assertEquals(draw({ rotateInt: 1 }, 3, 0), { move: [0, 1, 1, 0, 0], label: [0, 1] });
});

Deno.test("drawAugmentation() maps from the result to the image, and tells of each map", () => {
  const scale = draw({ scale: 1 }, 5, 0);
  assertAllClose(apply(scale.map, 2, 4), [1, 2]);
  assertEquals(scale.label, [5]);
  // A quarter turn: the right comes from below.
  const turn = draw({ rotateFrac: 1 }, 0.75, 0);
  assertAllClose(apply(turn.map, 1, 0), [0, 1], { rtol: 0, atol: 1e-15 });
  assertAllClose(turn.label, [-1, 1]);
  const shift = draw({ translateFrac: 1 }, 1, -2, 0);
  assertAllClose(apply(shift.map, 0, 0), [-1, 4]);
  assertEquals(shift.label, [1, -2]);
  // Stretched by 2 from left to right, and along the diagonal.
  assertAllClose(apply(draw({ aniso: 1 }, 5, 0.3, 0, 0.9).map, 2, 2), [1, 4]);
  const diagonal = draw({ aniso: 1 }, 5, 0.625, 0, 0);
  assertAllClose(apply(diagonal.map, 1, -1), [0.5, -0.5]);
  assertAllClose(apply(diagonal.map, 1, 1), [2, 2]);
  assertAllClose(diagonal.label, [5 * Math.SQRT1_2, 5 * Math.SQRT1_2]);
});

Deno.test("drawAugmentation() maps colours in order, and grey to the mean", () => {
  const { colour, label } = draw({ brightness: 1, contrast: 1 }, 2, 0, 2, 0);
  assertAllClose(apply(colour, 0, 0.5, -0.4), [0.8, 1.8, 0]);
  assertEquals(label, [2, 2]);
  assertAllClose(colourNumbers(colour!, 1), [2, 0.8]);
  const negative = draw({ lumaflip: 1 }, 1, 0).colour;
  assertAllClose(apply(negative, 1, 0, 0), [1 / 3, -2 / 3, -2 / 3]);
  // A third of a turn: red to green.
  assertAllClose(apply(draw({ hue: 1 }, 5 / 6, 0).colour, 1, 0, 0), [0, 1, 0], {
    ...{ rtol: 0, atol: 1e-12 },
  });
  const vivid = draw({ saturation: 1 }, 1, 0).colour;
  assertAllClose(apply(vivid, 1, 0, 0), [5 / 3, -1 / 3, -1 / 3]);
  assertAllClose(colourNumbers(vivid!, 1), [1, 0], { rtol: 0, atol: 1e-15 });
  assertEquals(colourNumbers(vivid!, 3).length, 12);
});

Deno.test("drawAugmentation() does each as often as its share of the probability says", () => {
  const settings = { ...EDM_SETTINGS, probability: 0.5, xflip: 1e8, scale: 0.5, lumaflip: 1 };
  const labels = Array.from({ length: 2000 }, (_, i) => {
    const random = randomStream(4, 1, i);
    const draws = { ...random, uniform: () => 1 - random.uniform() };
    return drawAugmentation(settings, draws, SIDES).label;
  });
  const share = (column: number) => labels.filter((label) => label[column] !== 0).length / 2000;
  for (const [column, expected] of [0.5, 0.25, 0.25].entries()) {
    assert(Math.abs(share(column) - expected) < 0.045, `${column}: ${share(column)}`);
  }
  const never = { ...settings, probability: 0 };
  assertEquals(drawAugmentation(never, given(1, 0, 3, 0, 1, 0), SIDES).label, [0, 0, 0]);
});

Deno.test("marginsOf() reaches for what the farthest map needs, but not beyond the reflection", () => {
  const maps = [draw({ translateFrac: 1 }, 1, -0.2, 0).map!, draw({ scale: 1 }, -5, 0).map!];
  assertEquals(marginsOf(maps.slice(0, 1), SIDES, 6), { left: 7, right: 5, top: 6, bottom: 7 });
  assertEquals(marginsOf(maps, SIDES, 6), { left: 7, right: 7, top: 14, bottom: 14 });
});
