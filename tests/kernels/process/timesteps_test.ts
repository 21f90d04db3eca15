import {
  adaptiveTimesteps,
  binStart,
  recordLosses,
  WARM_LOSSES,
} from "../../../kernels/process/timesteps/adaptive.ts";
import { tableTimesteps, timestepTable } from "../../../kernels/process/timesteps/table.ts";
import { philox4x32 } from "../../../support/philox.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { chiSquareDeviation } from "../../support/chi_square.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

const KEY = [11, 22, 3, 0];

function histogram(values: ArrayLike<number>, bins: number): Uint32Array {
  const counts = new Uint32Array(bins);
  for (const value of Array.from(values)) counts[value]!++;
  return counts;
}

Deno.test("tableTimesteps() draws the table's distribution (chi-square of 200,000)", async () => {
  const gpu = await testGpu();
  const density = Array.from({ length: 97 }, (_, t) => t === 40 ? 0 : 1 + t % 7 + (t < 5 ? 30 : 0));
  const total = density.reduce((a, b) => a + b);
  const { t } = await compute(gpu, (capture) => ({
    t: tableTimesteps(
      capture,
      upload(gpu, [4], KEY, "u32"),
      upload(gpu, [97], timestepTable(density), "u32"),
      { samples: 200_000, stream: 0 },
    ),
  }));
  const counts = histogram(t, 97);
  assertEquals(counts[40], 0);
  const deviation = chiSquareDeviation(counts, density.map((value) => value / total));
  assert(Math.abs(deviation) < 4, `${deviation}`);
  // The test can fail: another distribution is found out.
  assert(chiSquareDeviation(counts, density.map(() => 1 / 97)) > 50);
});

Deno.test("tableTimesteps() follows from the sample's own words", async () => {
  const gpu = await testGpu();
  const table = timestepTable([1, 2, 3, 4]);
  const { t } = await compute(gpu, (capture) => ({
    t: tableTimesteps(
      capture,
      upload(gpu, [4], [5, 6, 7, 100], "u32"),
      upload(gpu, [4], table, "u32"),
      { samples: 50, stream: 9 },
    ),
  }));
  const expected = Array.from({ length: 50 }, (_, n) => {
    const [word = 0] = philox4x32([0, 7, 9, 100 + n], [5, 6]);
    return table.findIndex((bound) => word < bound);
  });
  assertEquals([...t], expected);
});

Deno.test("timestepTable() refuses what is no distribution", () => {
  for (const density of [[0, 0], [1, -1, 3], [1, NaN], [Infinity], []]) {
    assertThrows(() => timestepTable(density), RangeError, "probabilities must");
  }
  assertEquals([...timestepTable([1, 1])], [2 ** 31, 2 ** 32 - 1]);
});

for (const [timesteps, bins] of [[100, 7], [1000, 20], [5, 5]] as const) {
  Deno.test(`adaptiveTimesteps() draws by sqrt(E[L^2]) and weights by its inverse: ${timesteps} in ${bins}`, async () => {
    const gpu = await testGpu();
    const squares = Array.from({ length: bins }, (_, b) => (1 + b % 4) ** 2);
    const history = squares.flatMap((square) => [square, WARM_LOSSES]);
    const samples = 200_000, uniformShare = 0.2;
    const { t, w } = await compute(gpu, (capture) => {
      const { timesteps: t, weights: w } = adaptiveTimesteps(
        capture,
        upload(gpu, [4], KEY, "u32"),
        upload(gpu, [bins, 2], history),
        { samples, stream: 0, timesteps, uniformShare },
      );
      return { t, w };
    });
    const binOf = (t: number) => {
      let bin = 0;
      while (binStart(bin + 1, bins, timesteps) <= t) bin++;
      return bin;
    };
    const roots = Array.from({ length: timesteps }, (_, t) => Math.sqrt(squares[binOf(t)]!));
    const total = roots.reduce((a, b) => a + b);
    const density = roots.map((root) =>
      uniformShare / timesteps + (1 - uniformShare) * root / total
    );
    const deviation = chiSquareDeviation(histogram(t, timesteps), density);
    assert(Math.abs(deviation) < 4, `${deviation}`);
    assertAllClose(w, Array.from(t, (t) => 1 / (timesteps * density[t]!)));
    const mean = Array.from(w).reduce((a, b) => a + b) / samples;
    assertAllClose([mean], [1], { rtol: 0.01 });
  });
}

Deno.test("adaptiveTimesteps() is uniform until every bin has seen enough, or all losses are 0", async () => {
  const gpu = await testGpu();
  const histories = {
    cold: [9, WARM_LOSSES, 1, WARM_LOSSES - 1, 1, 50, 1, 50],
    zero: [0, 50, 0, 50, 0, 50, 0, 50],
  };
  for (const history of Object.values(histories)) {
    const { t, w } = await compute(gpu, (capture) => {
      const { timesteps: t, weights: w } = adaptiveTimesteps(
        capture,
        upload(gpu, [4], KEY, "u32"),
        upload(gpu, [4, 2], history),
        { samples: 50_000, stream: 0, timesteps: 40, uniformShare: 0.1 },
      );
      return { t, w };
    });
    assert(w.every((weight) => weight === 1));
    const deviation = chiSquareDeviation(histogram(t, 40), new Array(40).fill(1 / 40));
    assert(Math.abs(deviation) < 4, `${deviation}`);
  }
});

Deno.test("recordLosses() averages squares a bin, the first ones alike", async () => {
  const gpu = await testGpu();
  const bins = 3, timesteps = 10, decay = 0.5;
  const t = [0, 9, 2, 3, 1, 0, 9, 5], losses = [1, 2, 3, 4, 5, 6, 7, 8];
  const history = upload(gpu, [bins, 2], [0, 0, 0, 0, 4, 1]);
  await compute(gpu, (capture) => {
    recordLosses(capture, history, upload(gpu, [8], t, "u32"), upload(gpu, [8], losses), {
      timesteps,
      decay,
    });
    return {};
  });
  const expected = [[0, 0], [0, 0], [4, 1]];
  t.forEach((t, n) => {
    const bin = t < 3 ? 0 : t < 6 ? 1 : 2;
    const [mean = 0, seen = 0] = expected[bin]!;
    const keep = Math.min(decay, seen / (seen + 1));
    expected[bin] = [keep * mean + (1 - keep) * losses[n]! ** 2, seen + 1];
  });
  assertAllClose(await gpu.readF32(history), expected.flat());
});
