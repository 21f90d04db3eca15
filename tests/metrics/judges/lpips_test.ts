import { Lpips, lpipsSides, type LpipsTensor } from "../../../metrics/judges/lpips.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "../../support/assert.ts";
import { LPIPS_LAYERS, randomLpips } from "../../support/lpips.ts";
import { resizeBilinearReference } from "../../reference/resize_bilinear.ts";
import { randomValues, testGpu } from "../../support/gpu.ts";

interface Map3 {
  readonly side: number;
  /** [channel][y][x] */
  readonly data: Float64Array;
}

function conv(
  { side, data }: Map3,
  layer: typeof LPIPS_LAYERS[number],
  state: Map<string, LpipsTensor>,
) {
  const { name, ci, co, k, stride, pad } = layer;
  const weight = state.get(`${name}.weight`)!.data, bias = state.get(`${name}.bias`)!.data;
  const out = Math.floor((side + 2 * pad - k) / stride) + 1;
  const result = new Float64Array(co * out * out);
  for (let o = 0; o < co; o++) {
    for (let y = 0; y < out; y++) {
      for (let x = 0; x < out; x++) {
        let sum = bias[o]!;
        for (let i = 0; i < ci; i++) {
          for (let dy = 0; dy < k; dy++) {
            for (let dx = 0; dx < k; dx++) {
              const iy = y * stride + dy - pad, ix = x * stride + dx - pad;
              if (iy < 0 || ix < 0 || iy >= side || ix >= side) continue;
              sum += weight[((o * ci + i) * k + dy) * k + dx]! * data[(i * side + iy) * side + ix]!;
            }
          }
        }
        result[(o * out + y) * out + x] = Math.max(0, sum);
      }
    }
  }
  return { side: out, data: result };
}

function pool({ side, data }: Map3, channels: number): Map3 {
  const out = Math.floor((side - 3) / 2) + 1;
  const result = new Float64Array(channels * out * out).fill(-Infinity);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < out; y++) {
      for (let x = 0; x < out; x++) {
        const at = (c * out + y) * out + x;
        for (let dy = 0; dy < 3; dy++) {
          for (let dx = 0; dx < 3; dx++) {
            const value = data[(c * side + 2 * y + dy) * side + 2 * x + dx]!;
            result[at] = Math.max(result[at]!, value);
          }
        }
      }
    }
  }
  return { side: out, data: result };
}

/** The distance in f64, from PyTorch's layouts. */
function reference(
  a: Float32Array,
  b: Float32Array,
  side: number,
  state: Map<string, LpipsTensor>,
) {
  const shift = [-0.030, -0.088, -0.188], scale = [0.458, 0.448, 0.450];
  let maps: Map3[] = [a, b].map((image) => {
    const data = new Float64Array(3 * side * side);
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < side * side; i++) {
        data[c * side * side + i] = (image[i * 3 + c]! - shift[c]!) / scale[c]!;
      }
    }
    return { side, data };
  });
  let distance = 0;
  LPIPS_LAYERS.forEach((layer, l) => {
    maps = maps.map((map) => conv(layer.pool ? pool(map, layer.ci) : map, layer, state));
    const factors = state.get(`lin${l}.model.1.weight`)!.data;
    const pixels = maps[0]!.side ** 2;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const columns = maps.map(({ data }) =>
        Array.from({ length: layer.co }, (_, c) => data[c * pixels + pixel]!)
      );
      const norms = columns.map((column) => Math.sqrt(column.reduce((sum, x) => sum + x * x, 0)));
      for (let c = 0; c < layer.co; c++) {
        const difference = columns[0]![c]! / (norms[0]! + 1e-10) -
          columns[1]![c]! / (norms[1]! + 1e-10);
        distance += factors[c]! * difference ** 2 / pixels;
      }
    }
  });
  return distance;
}

Deno.test("Lpips matches a naive network in f64, and is 0 between equal images", async () => {
  const gpu = await testGpu(), side = 33, state = randomLpips();
  const length = side * side * 3;
  const a = randomValues(2 * length, 41, 0.5), b = randomValues(2 * length, 42, 0.5);
  a.set(b.subarray(length), length);
  const lpips = await Lpips.create(gpu, state, { height: side, width: side, channels: 3 });
  const distances = await lpips.distances(a, b);
  const expected = reference(a.subarray(0, length), b.subarray(0, length), side, state);
  assert(expected > 0.1);
  assertAllClose(distances, [expected, 0], { rtol: 1e-4, atol: 1e-6 });
  lpips.destroy();
});

Deno.test("Lpips.gradients() is the slope of the naive network's distance", async () => {
  const gpu = await testGpu(), side = 31, state = randomLpips(), length = side * side * 3;
  const a = randomValues(length, 51, 0.5), b = randomValues(length, 52, 0.5);
  const lpips = await Lpips.create(gpu, state, { height: side, width: side, channels: 3 });
  const gradient = await lpips.gradients(a, b);
  // Along the gradient, where most of the slope is.
  const size = Math.hypot(...gradient), step = 1e-3;
  const moved = (sign: number) => a.map((x, i) => x + sign * step * gradient[i]! / size);
  const [up, down] = [1, -1].map((sign) => reference(moved(sign), b, side, state));
  assertAlmostEquals((up! - down!) / (2 * step) / size, 1, 1e-2);
  lpips.destroy();
});

Deno.test("Lpips.spatialMaps() and features() agree with distances of one image among several", async () => {
  const gpu = await testGpu(), height = 31, width = 33, state = randomLpips();
  const lpips = await Lpips.create(gpu, state, { height, width, channels: 1 });
  const count = 9, a = randomValues(count * height * width, 61, 0.5), b = a.slice();
  const last = (count - 1) * height * width;
  b.set(randomValues(height * width, 62, 0.5), last);
  const maps = await lpips.spatialMaps(a, b);
  assert(maps.subarray(0, last).every((value) => value === 0));
  assert(maps.subarray(last).every((value) => value > 0));
  const features = await lpips.features(a);
  assertEquals(features.map(({ length }) => length / count), [
    7 * 7 * 64,
    3 * 3 * 192,
    384,
    256,
    256,
  ]);
  const one = await lpips.features(a.subarray(last));
  features.forEach((values, i) =>
    assertEquals(values.subarray(values.length / count * (count - 1)), one[i]!)
  );
  const size = height * width,
    grey = await lpips.gradients(
      ...[a, b].map((images) => images.subarray(last - size)) as [Float32Array, Float32Array],
    );
  assert(grey.subarray(0, size).every((value) => value === 0));
  assert(grey.subarray(size).some((value) => value !== 0));
  lpips.destroy();
});

Deno.test("Lpips takes torchvision's names and repeats grey images", async () => {
  const gpu = await testGpu(), side = 31, state = randomLpips();
  const renamed = new Map(
    Array.from(state, ([name, tensor]) => [name.replace(/^net\.slice\d/, "features"), tensor]),
  );
  const size = { height: side, width: side };
  const grey = await Lpips.create(gpu, renamed, { ...size, channels: 1 });
  const colour = await Lpips.create(gpu, state, { ...size, channels: 3 });
  const a = randomValues(side * side, 1, 0.5), b = randomValues(side * side, 2, 0.5);
  const three = (image: Float32Array) =>
    Float32Array.from({ length: 3 * image.length }, (_, i) => image[Math.floor(i / 3)]!);
  assertAllClose(await grey.distances(a, b), await colour.distances(three(a), three(b)));
  grey.destroy();
  colour.destroy();
});

Deno.test("Lpips sees small images as enlarged ones, whose gradients and maps come back to their size", async () => {
  const gpu = await testGpu(), state = randomLpips(), height = 16, width = 20;
  assertEquals(lpipsSides({ height: 31, width: 47 }), [31, 47]);
  assertEquals(lpipsSides({ height: 28, width: 28 }), [64, 64]);
  const sides = lpipsSides({ height, width });
  assertEquals(sides, [64, 80]);
  const small = await Lpips.create(gpu, state, { height, width, channels: 3 });
  const large = await Lpips.create(gpu, state, { height: 64, width: 80, channels: 3 });
  const length = height * width * 3;
  const [a, b] = [71, 72].map((seed) => randomValues(length, seed, 0.5)) as [
    Float32Array,
    Float32Array,
  ];
  const enlarge = (x: Float32Array) =>
    Float32Array.from(resizeBilinearReference([1, height, width, 3], x, sides));
  const [distance = 0] = await small.distances(a, b);
  assert(distance > 0.01);
  const [as, bs] = [enlarge(a), enlarge(b)];
  assertAllClose([distance], await large.distances(as, bs), { rtol: 1e-4 });
  assertEquals((await small.spatialMaps(a, b)).length, height * width);
  // A step of the small image is one of the large image.
  const step = randomValues(length, 73), slopes = await small.gradients(a, b);
  const moved = enlarge(step), slopesOfLarge = await large.gradients(as, bs);
  const along = (slope: Float32Array, way: Float32Array) =>
    slope.reduce((sum, value, i) => sum + value * way[i]!, 0);
  assertAllClose([along(slopes, step)], [along(slopesOfLarge, moved)], { rtol: 1e-3, atol: 1e-6 });
  small.destroy();
  large.destroy();
});

Deno.test("Lpips refuses images of other channels and weights of another network", async () => {
  const gpu = await testGpu(), state = randomLpips();
  const shape = { height: 16, width: 16, channels: 2 };
  await assertRejects(() => Lpips.create(gpu, state, shape), RangeError, "1 or 3 channels, got");
  state.delete("lin3.model.1.weight");
  await assertRejects(
    () => Lpips.create(gpu, state, { height: 32, width: 32, channels: 1 }),
    RangeError,
    "lin3.model.1.weight must have shape [1, 256, 1, 1], got no such tensor",
  );
});
