import { fourierTransform } from "../../../kernels/fft/fft2.ts";
import { stagesOf, twiddleTable } from "../../../kernels/fft/plan.ts";
import { spectrumBackward, spectrumForward } from "../../../kernels/fft/spectrum.ts";
import { dft2 } from "../../reference/fft.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

/** All short lengths, and longer ones that are awkward, or that images have. */
const LENGTHS = [
  ...Array.from({ length: 66 }, (_, i) => i + 1),
  ...[71, 88, 96, 104, 121, 127, 128, 160, 187, 224, 250, 256, 300, 509, 512, 1024, 1025, 1031],
];

/** Error of a transform against the sum in f64, relative to the root mean square of the result. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0, square = 0;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    square += expected[i]! ** 2;
  }
  return worst / Math.sqrt(square / expected.length);
}

Deno.test("stagesOf() cuts every length; a short one with a large prime stays whole", () => {
  const isPrime = (n: number) =>
    Array.from({ length: n }, (_, i) => i).every((p) => p < 2 || n % p);
  for (let n = 1; n <= 1100; n++) {
    const stages = stagesOf(n);
    assertEquals(stages.reduce((a, b) => a * b, 1), n);
    if (stages.length === 1 && n <= 64) continue;
    assert(stages.every((radix) => [4, 8].includes(radix) || isPrime(radix)), `${n}: ${stages}`);
  }
  assertEquals([22, 62, 64].map((n) => stagesOf(n).length), [1, 1, 2]);
  assertEquals([88, 289, 509].map(stagesOf), [[8, 11], [17, 17], [509]]);
  for (const n of [0, -4, 2.5, NaN, 65536]) {
    assertThrows(() => stagesOf(n), RangeError, `from 1 to 65535, got ${n}`);
  }
});

Deno.test("twiddleTable() is exact at quarter turns and right elsewhere", () => {
  const table = twiddleTable(28);
  assertEquals([...table.subarray(14, 16)].map((v) => v + 0), [0, -1]);
  for (let k = 0; k < 28; k++) {
    assertAllClose([table[2 * k]!, table[2 * k + 1]!], [
      Math.cos(2 * Math.PI * k / 28),
      -Math.sin(2 * Math.PI * k / 28),
    ], { atol: 1e-14, rtol: 0 });
  }
});

// Planes of height 1: a line a channel. Lengths share a test, as a test's first result is slow.
for (let first = 0; first < LENGTHS.length; first += 20) {
  const some = LENGTHS.slice(first, first + 20);
  Deno.test(`fourierTransform() matches the f64 sum for lengths ${some[0]} to ${some.at(-1)}`, async () => {
    const gpu = await testGpu();
    const cases = some.map((length) => {
      const shape = { samples: 2, height: 1, width: length, channels: 3 };
      return { length, shape, values: randomValues(2 * 2 * length * 3, length) };
    });
    const results = await compute(
      gpu,
      (capture) =>
        Object.fromEntries(cases.flatMap(({ length, values }) => {
          const rows = upload(gpu, [2, 1, length, 3, 2], values);
          const columns = upload(gpu, [2, length, 1, 3, 2], values);
          const run = (x: typeof rows, inverse: boolean) =>
            fourierTransform(capture, x, { inverse, scale: 1 });
          return [[`${length}`, run(rows, false)], [`${length}i`, run(columns, true)]];
        })),
    );
    for (const { length, shape, values } of cases) {
      for (const inverse of [false, true]) {
        const expected = dft2(values, shape, inverse);
        const error = relativeError(results[inverse ? `${length}i` : `${length}`]!, expected);
        assert(error < 2e-6, `length ${length}, inverse ${inverse}: ${error}`);
      }
    }
  });
}

const PLANES: [number, number, number, number][] = [
  [1, 1, 1, 1],
  [1, 4, 4, 1],
  [2, 12, 1, 3],
  [3, 28, 28, 1],
  [2, 32, 32, 3],
  [1, 16, 16, 5],
  [2, 5, 7, 4],
  [1, 22, 13, 3],
  [1, 64, 32, 2],
  [1, 96, 96, 1],
  [1, 128, 64, 3],
  [1, 33, 35, 2],
  [1, 88, 104, 2],
  [1, 160, 127, 1],
  [1, 224, 224, 1],
  [1, 3, 509, 2],
  [1, 512, 250, 1],
  [2, 256, 12, 3],
  [1, 2, 1030, 1],
];

for (const [samples, height, width, channels] of PLANES) {
  const name = `${samples}x${height}x${width}x${channels}`;
  Deno.test(`fourierTransform() of planes ${name}, real and complex, matches the f64 sum`, async () => {
    const gpu = await testGpu();
    const shape = { samples, height, width, channels };
    const count = samples * height * width * channels;
    const real = randomValues(count, 3), complex = randomValues(2 * count, 4);
    const axes = [samples, height, width, channels];
    const { r, c, inverse, re } = await compute(gpu, (capture) => {
      const z = upload(gpu, [...axes, 2], complex);
      return {
        r: fourierTransform(capture, upload(gpu, axes, real), { inverse: false, scale: 1 }),
        c: fourierTransform(capture, z, { inverse: false, scale: 0.5 }),
        inverse: fourierTransform(capture, z, { inverse: true, scale: 1 }),
        re: fourierTransform(capture, z, { inverse: true, scale: 2, realOutput: true }),
      };
    });
    const backward = dft2(complex, shape, true);
    assert(relativeError(r, dft2(real, shape)) < 3e-6, "real");
    assert(relativeError(c, dft2(complex, shape).map((v) => v / 2)) < 3e-6, "complex");
    assert(relativeError(inverse, backward) < 3e-6, "inverse");
    const realPart = backward.filter((_, i) => i % 2 === 0).map((v) => 2 * v);
    assertEquals(re.length, count);
    assert(relativeError(re, realPart) < 3e-6, "real part");
  });
}

Deno.test("fourierTransform() refuses other shapes and lengths", async () => {
  const gpu = await testGpu();
  for (const shape of [[4, 4], [1, 4, 4, 3, 3], [1, 65536, 1, 1]]) {
    const x = gpu.tensor(shape);
    await compute(gpu, (capture) => {
      const run = () => fourierTransform(capture, x, { inverse: false, scale: 1 });
      assertThrows(run, RangeError, "Cannot transform");
      return {};
    });
  }
});

const FUNCTIONS = {
  "amplitude": { f: (a: number) => a, slope: () => 1 },
  "power": { f: (a: number) => a * a, slope: (a: number) => 2 * a },
  "log-amplitude": {
    f: (a: number) => Math.log(a + 1e-8),
    slope: (a: number) => 1 / (a + 1e-8),
  },
  "log1p-amplitude": { f: (a: number) => Math.log1p(a), slope: (a: number) => 1 / (1 + a) },
};

for (const [name, { f, slope }] of Object.entries(FUNCTIONS)) {
  for (const count of [1, 7, 256]) {
    Deno.test(`spectrumForward() and its gradient match f64: ${name}, ${count}`, async () => {
      const gpu = await testGpu();
      const z = randomValues(2 * count, 5, 3), dy = randomValues(count, 6);
      const { y, dz } = await compute(gpu, (capture) => {
        const input = upload(gpu, [count, 2], z);
        const key = name as keyof typeof FUNCTIONS;
        return {
          y: spectrumForward(capture, input, key),
          dz: spectrumBackward(capture, input, upload(gpu, [count], dy), key),
        };
      });
      const size = (i: number) => Math.hypot(z[2 * i]!, z[2 * i + 1]!);
      assertAllClose(y, Array.from({ length: count }, (_, i) => f(size(i))));
      const expected = Array.from(z, (part, i) => {
        const a = size(i >> 1);
        return dy[i >> 1]! * slope(a) * part / a;
      });
      assertAllClose(dz, expected, { name: "dz" });
    });
  }
}

Deno.test("spectrumForward() neither underflows nor overflows, and has gradient 0 at 0", async () => {
  const gpu = await testGpu();
  const z = upload(gpu, [4, 2], [0, 0, 3e-30, 4e-30, 3e30, -4e30, 0, -2]);
  const one = upload(gpu, [4], [1, 1, 1, 1]);
  const { y, dz, log, dlog } = await compute(gpu, (capture) => ({
    y: spectrumForward(capture, z, "amplitude"),
    dz: spectrumBackward(capture, z, one, "amplitude"),
    log: spectrumForward(capture, z, "log-amplitude"),
    dlog: spectrumBackward(capture, z, one, "log-amplitude"),
  }));
  assertAllClose(y, [0, 5e-30, 5e30, 2], { atol: 0 });
  assertAllClose(dz, [0, 0, 0.6, 0.8, 0.6, -0.8, 0, -1]);
  assertAllClose(log.subarray(0, 1), [Math.log(1e-8)]);
  assertEquals([...dlog.subarray(0, 2)], [0, 0]);
});
