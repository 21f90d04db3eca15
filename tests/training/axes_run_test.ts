import { parseConfig } from "../../config/load.ts";
import { sampleArray } from "../../commands/sample/sample_array.ts";
import { imageShape } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import { gridPng } from "../../training/pictures.ts";
import { plotSignals } from "../../training/signal_plot.ts";
import { decodePng } from "../../formats/png_decode.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { trainInFolder } from "../support/runs.ts";

const configOf = (dims: 1 | 3, data: Record<string, unknown> = {}) => ({
  data: {
    name: "synthetic",
    size: 8,
    synthetic: {
      kind: "field",
      channels: 1,
      count: 16,
      dims,
      depth: dims === 3 ? 3 : null,
      ...data,
    },
  },
  model: {
    name: "guided",
    dims,
    channels: 8,
    channelMultipliers: [1, 1],
    attentionFactors: [],
    blocks: 1,
    groups: 4,
    headChannels: 4,
  },
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  train: {
    steps: 3,
    batchSize: 4,
    sampleEvery: 3,
    sampleCount: 4,
    evalEvery: 3,
    evalCount: 4,
    logEvery: 1,
  },
});

const parse = (tree: Record<string, unknown>) =>
  parseConfig(JSON.stringify(tree), { path: "test" });

for (const [dims, shape] of [[1, "1x8x1"], [3, "24x8x1"]] as const) {
  Deno.test(`a network over ${dims} axes trains on synthetic data and draws samples`, () =>
    inFolder(async (folder) => {
      const { finished, picture, lines } = await trainInFolder(parse(configOf(dims)), folder, {
        instruments: true,
      });
      assert(finished);
      assert(lines.some((line) => line.includes(`16 images of ${shape}`)), lines.join("\n"));
      const { width, height } = decodePng(await Deno.readFile(picture!));
      assert(width > 0 && height > 0);
    }));
}

Deno.test("synthetic fields over one axis and three have their power law", async () => {
  for (const dims of [1, 3] as const) {
    const { data } = parse({
      ...configOf(dims, { count: 512, power: 2 }),
      train: { steps: 1, batchSize: 4 },
    });
    const set = await loadImages(data, "train", () => {});
    const axes = dims === 1 ? [8] : [3, 8, 8];
    const size = axes.reduce((a, b) => a * b, 1);
    assertEquals([set.count, set.height * set.width], [512, size]);
    /** Mean power along the last axis at a frequency, of all lines. */
    const powerAt = (k: number) => {
      let sum = 0;
      for (let line = 0; line < 512 * size / 8; line++) {
        let re = 0, im = 0;
        for (let x = 0; x < 8; x++) {
          const value = set.images[line * 8 + x]! - 127.5, angle = 2 * Math.PI * k * x / 8;
          re += value * Math.cos(angle);
          im += value * Math.sin(angle);
        }
        sum += re * re + im * im;
      }
      return sum / (512 * size / 8);
    };
    const ratio = powerAt(1) / powerAt(3);
    // k^-2 by itself; of a volume, summed over the frequencies across.
    const power = (k: number) => {
      let sum = 0;
      for (let z = 0; z < (dims === 1 ? 1 : 3); z++) {
        for (let y = 0; y < (dims === 1 ? 1 : 8); y++) {
          const scale = dims === 1 ? 8 : 3;
          const fold = (i: number, n: number) => Math.min(i, n - i) * scale / n;
          sum += 1 / (fold(z, 3) ** 2 + fold(y, 8) ** 2 + fold(k, 8) ** 2);
        }
      }
      return sum;
    };
    assert(Math.abs(ratio / (power(1) / power(3)) - 1) < 0.15, `${dims}: ${ratio}`);
  }
  assertThrows(
    () => parse(configOf(1, { kind: "shapes" })),
    Error,
    "data.synthetic.kind must be field where data.synthetic.dims is not 2",
  );
});

Deno.test("sampleArray() gives signals in their units and volumes with their slices", () => {
  const images = new Uint8Array(2 * 24 * 8), values = new Float32Array(images.length);
  const { data } = parse(configOf(3));
  assertEquals(sampleArray(data, { images, values }).shape, [2, 3, 8, 8, 1]);
  const signals = parse({
    ...configOf(1),
    data: { name: "signals", dir: "a.npz", size: 8, channels: 1, range: [2, 6], holdout: 8 },
  }).data;
  assertEquals(imageShape(signals).width, 8);
  const found = sampleArray(signals, {
    images: new Uint8Array(8),
    values: Float32Array.of(-1, 0, 1, 1.5, 0, 0, 0, 0),
  });
  assertEquals([found.dtype, found.shape], ["F32", [1, 8, 1]]);
  assertEquals([...found.data as Float32Array].slice(0, 4), [2, 4, 6, 7]);
});

Deno.test("plotSignals() draws a line from edge to edge, and a colour for each channel", () => {
  const size = { height: 1, width: 3, channels: 1 };
  const { images, size: shown } = plotSignals(Uint8Array.of(0, 255, 255), 1, size);
  assertEquals(shown, { height: 64, width: 3, channels: 1 });
  const column = (x: number) =>
    Array.from({ length: 64 }, (_, y) => images[y * 3 + x]!).map((v, y) => v > 0 ? y : -1)
      .filter((y) => y >= 0);
  assertEquals([column(0), column(1), column(2)], [
    [63],
    Array.from({ length: 63 }, (_, y) => y),
    [0],
  ]);
  const two = plotSignals(Uint8Array.of(0, 255, 0, 255), 1, { width: 2, channels: 2 });
  assertEquals(two.size.channels, 3);
  assertEquals([...two.images.slice(0, 3)], [86, 180, 233]);
  const { width, height } = decodePng(gridPng(Uint8Array.of(0, 255, 255), 1, size));
  assertEquals([width, height], [5, 66]);
});
