import { dft2 } from "../../reference/fft.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { FIELD_DEVIATION, fieldSpectrum, makeSynthetic } from "../../../data/sets/synthetic.ts";
import { SHAPE_NAMES } from "../../../data/sets/shapes.ts";

const FIELD = { kind: "field", power: 2, channels: 1 } as const;

/** |X(k)|^2 of the orthonormal 2D DFT, summed directly. */
function periodogram(levels: ArrayLike<number>, size: number): Float64Array {
  const power = new Float64Array(size * size);
  for (let ky = 0; ky < size; ky++) {
    for (let kx = 0; kx < size; kx++) {
      let re = 0, im = 0;
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const angle = 2 * Math.PI * ((kx * x + ky * y) % size) / size;
          const value = levels[y * size + x]! - 127.5;
          re += value * Math.cos(angle);
          im -= value * Math.sin(angle);
        }
      }
      power[ky * size + kx] = (re * re + im * im) / (size * size);
    }
  }
  return power;
}

Deno.test("fieldSpectrum() follows the power law and has the stated variance", () => {
  const size = 8;
  const spectrum = fieldSpectrum(size, 2);
  const mean = spectrum.reduce((sum, value) => sum + value, 0) / size ** 2;
  assertAllClose([mean], [FIELD_DEVIATION ** 2], { rtol: 1e-12 });
  assertEquals(spectrum[0], 0);
  const at = (ky: number, kx: number) => spectrum[ky * size + kx]!;
  assertAllClose([at(0, 2) / at(0, 1), at(3, 0) / at(1, 0)], [1 / 4, 1 / 9], { rtol: 1e-12 });
  assertAllClose([at(1, 1) / at(0, 1), at(7, 6) / at(1, 2)], [1 / 2, 1], { rtol: 1e-12 });
  assertThrows(() => fieldSpectrum(8, NaN), RangeError, "got NaN");
  assertThrows(() => fieldSpectrum(8, -2000), RangeError, "got -2000");
});

Deno.test("makeSynthetic() paints fields that have the true spectrum", () => {
  for (const [size, power] of [[8, 2], [6, 0], [7, 1]] as const) {
    const count = 3000;
    const { images } = makeSynthetic({ ...FIELD, power }, "train", count, size);
    const mean = new Float64Array(size * size);
    for (let i = 0; i < count; i++) {
      const one = images.subarray(i * size * size, (i + 1) * size * size);
      periodogram(one, size).forEach((value, k) => mean[k]! += value / count);
    }
    // Rounding adds 1/12. A |X|^2 has a deviation of at most sqrt(2) of its mean: here 2.6 % for
    // the average, so 15 % is far beyond chance, yet a wrong law is off by more.
    const expected = fieldSpectrum(size, power).map((value) => value + 1 / 12);
    assertAllClose(mean, expected, {
      rtol: 0.15,
      atol: 0.05,
      name: `size ${size}, power ${power}`,
    });
  }
});

Deno.test("makeSynthetic() paints independent channels and fields of zero correlation at power 0", () => {
  const { images } = makeSynthetic({ kind: "field", power: 0, channels: 3 }, "train", 200, 16);
  const pairs = images.length / 3;
  let between = 0, beside = 0, variance = 0;
  for (let p = 0; p < pairs; p++) {
    const [r, g] = [images[3 * p]! - 127.5, images[3 * p + 1]! - 127.5];
    variance += r * r / pairs;
    between += r * g / pairs;
    if (p + 1 < pairs) beside += r * (images[3 * p + 3]! - 127.5) / pairs;
  }
  assert(Math.abs(variance / FIELD_DEVIATION ** 2 - 1) < 0.03, `${variance}`);
  assert(Math.abs(between) < 0.03 * variance && Math.abs(beside) < 0.03 * variance);
});

Deno.test("makeSynthetic() gives image i the same pixels whatever the count, and splits apart", () => {
  for (const kind of ["field", "shapes"] as const) {
    const options = { kind, power: 2, channels: 3 } as const;
    const few = makeSynthetic(options, "train", 3, 12);
    const many = makeSynthetic(options, "train", 9, 12);
    assertEquals(many.images.subarray(0, few.images.length), few.images);
    assertEquals([few.count, few.height, few.width, few.channels], [3, 12, 12, 3]);
    const test = makeSynthetic(options, "test", 3, 12);
    assert(!few.images.every((value, i) => value === test.images[i]));
  }
});

Deno.test("makeSynthetic() paints every shape, labelled and bright on dark", () => {
  const size = 24;
  const { images, labels, classNames } = makeSynthetic(
    { kind: "shapes", power: 2, channels: 1 },
    "train",
    200,
    size,
  );
  assertEquals(classNames, SHAPE_NAMES);
  assertEquals(new Set(labels).size, SHAPE_NAMES.length);
  const areas = SHAPE_NAMES.map((): number[] => []);
  for (let i = 0; i < 200; i++) {
    const image = images.subarray(i * size * size, (i + 1) * size * size);
    const dark = Math.min(...image), bright = Math.max(...image);
    assert(dark < 80 && bright >= 144, `image ${i}: ${dark} to ${bright}`);
    // The share of the bounding square that is filled tells a shape from another.
    const lit = [...image.keys()].filter((p) => image[p]! > (dark + bright) / 2);
    const xs = lit.map((p) => p % size), ys = lit.map((p) => Math.floor(p / size));
    const span = (values: number[]) => Math.max(...values) - Math.min(...values) + 1;
    areas[labels![i]!]!.push(lit.length / (span(xs) * span(ys)));
  }
  const share = (name: string) => {
    const values = areas[SHAPE_NAMES.indexOf(name)]!;
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  assert(share("square") > 0.98, `square ${share("square")}`);
  assert(Math.abs(share("disc") - Math.PI / 4) < 0.05, `disc ${share("disc")}`);
  assert(Math.abs(share("triangle") - 0.5) < 0.08, `triangle ${share("triangle")}`);
  assert(Math.abs(share("ring") - 0.64 * Math.PI / 4) < 0.08, `ring ${share("ring")}`);
  assert(Math.abs(share("cross") - 0.51) < 0.08, `cross ${share("cross")}`);
  assert(Math.abs(share("stripes") - 0.6) < 0.08, `stripes ${share("stripes")}`);
});

Deno.test("makeSynthetic() refuses sizes and counts out of range", () => {
  assertThrows(() => makeSynthetic(FIELD, "train", 1, 1), RangeError, "size");
  assertThrows(() => makeSynthetic(FIELD, "train", 0, 8), RangeError, "count");
});

Deno.test("makeSynthetic() makes rectangles: shapes lie inside, fields follow their spectrum", () => {
  for (const size of [[12, 30], [30, 12], [8, 16]] as const) {
    const [height, width] = size;
    const shapes = makeSynthetic({ kind: "shapes", power: 2, channels: 1 }, "train", 20, size);
    assertEquals([shapes.height, shapes.width, shapes.images.length], [
      ...[height, width],
      20 * height * width,
    ]);
    const columns = new Set<number>(), rows = new Set<number>();
    shapes.images.forEach((value, i) => {
      if (value < 144) return;
      columns.add(i % width);
      rows.add(Math.floor(i / width) % height);
    });
    assert(columns.size > 0.7 * width && rows.size > 0.7 * height, `${columns.size}, ${rows.size}`);
    const count = 300;
    const fields = makeSynthetic({ kind: "field", power: 2, channels: 1 }, "train", count, size);
    const real = Array.from(fields.images, (value) => value - 127.5);
    const z = dft2(real, { samples: count, height, width, channels: 1 });
    const spectrum = fieldSpectrum(size, 2);
    for (const k of [1, width, width + 1, 3 * width + 2]) {
      let power = 0;
      for (let n = 0; n < count; n++) {
        const at = 2 * (n * height * width + k);
        power += (z[at]! ** 2 + z[at + 1]! ** 2) / (height * width * count);
      }
      // The mean of 300 squares has a standard error of 6 % to 8 %.
      assert(Math.abs(power / spectrum[k]! - 1) < 0.3, `${size}, ${k}: ${power} ${spectrum[k]}`);
    }
  }
});
