import { join } from "node:path";
import { parseConfig } from "../../../config/load.ts";
import { loadImages } from "../../../data/registry.ts";
import { imageShape } from "../../../data/options.ts";
import { writeNpz } from "../../../formats/npy.ts";
import { signalSplits } from "../../../formats/npz_signals.ts";
import type { StoredTensor } from "../../../formats/safetensors.ts";
import { orderedBatches } from "../../../training/batch_source.ts";
import { Capture } from "../../../device/capture.ts";
import { UsageError } from "../../../support/errors.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { testGpu } from "../../support/gpu.ts";

const f32 = (shape: number[], of: (i: number) => number): StoredTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => of(i)),
});

const labels = (...values: number[]): StoredTensor => ({
  dtype: "I64",
  shape: [values.length, 1],
  data: BigInt64Array.from(values, BigInt),
});

/** Options of a file in a folder. */
async function optionsOf(
  folder: string,
  arrays: Record<string, StoredTensor>,
  data: Record<string, unknown>,
) {
  const dir = join(folder, "signals.npz");
  await Deno.writeFile(dir, writeNpz(Object.entries(arrays)));
  const tree = {
    data: { name: "signals", dir, holdout: 4, ...data },
    model: { name: "guided", dims: 1 },
  };
  return parseConfig(JSON.stringify(tree), { path: "test" }).data;
}

const silent = () => {};

Deno.test("SIGNALS keeps the precision and classes of signals, and the range gives -1 and 1", () =>
  inFolder(async (folder) => {
    const arrays = {
      train_signals: f32([3, 4, 2], (i) => i / 7),
      train_labels: labels(2, 0, 1),
      test_signals: f32([1, 4, 2], (i) => -i / 10),
      test_labels: labels(1),
    };
    const data = await optionsOf(folder, arrays, { size: 4, channels: 2, range: [-2, 4] });
    const { size: _, ...shape } = imageShape(data);
    assertEquals(shape, { height: 1, width: 4, channels: 2 });
    const test = await loadImages(data, "test", silent);
    assertEquals([test.count, test.height, test.width, test.channels], [1, 1, 4, 2]);
    const expected = Array.from({ length: 8 }, (_, i) => (-i / 10 - 1) / 3);
    assertAllClose(test.values!, expected);
    assertEquals([...test.images], [...test.values!].map((v) => Math.round((v + 1) * 127.5)));
    const train = await loadImages(data, "train", silent);
    assertEquals([...train.labels!].sort(), [0, 1, 2]);
    // Each kept its class through the fixed order.
    const firsts = Array.from(train.labels!, (_, n) => train.values![n * 8]!);
    const byClass = [1, 2, 0].map((n) => (n * 8 / 7 - 1) / 3);
    assertAllClose(firsts, [...train.labels!].map((label) => byClass[label]!));
    const source = orderedBatches(await testGpu(), train, 2);
    const capture = new Capture(await testGpu(), "test");
    const { x0 } = source.record(capture);
    capture.keep(x0);
    const program = await capture.plan();
    program.run(source.inputs(1));
    assertEquals(x0.shape, [2, 1, 4, 2]);
    const third = [...train.values!.subarray(16)];
    assertEquals([...await program.readF32(x0)], [...third, ...third]);
    program.destroy();
    source.destroy();
  }));

Deno.test("SIGNALS holds out one in ten of a file with one array, whatever its name", () =>
  inFolder(async (folder) => {
    const data = await optionsOf(folder, { x: f32([30, 8], (i) => i / 240) }, {
      size: 8,
      channels: 1,
    });
    const lines: string[] = [];
    const train = await loadImages(data, "train", (line) => lines.push(line));
    const test = await loadImages(data, "test", silent);
    assertEquals([train.count, test.count], [27, 3]);
    const firsts = [train, test].flatMap(({ values, count }) =>
      Array.from({ length: count }, (_, n) => Math.round(values![n * 8]! * 30))
    );
    assertEquals(firsts.toSorted((a, b) => a - b), Array.from({ length: 30 }, (_, n) => n));
    assert(lines[0]!.endsWith("has no test signals: one in 10 is held out"));
  }));

Deno.test("SIGNALS refuses other lengths, values outside the range, and what is no signal", () =>
  inFolder(async (folder) => {
    const load = async (
      arrays: Record<string, StoredTensor>,
      data: Record<string, unknown> = {},
    ) =>
      await loadImages(
        await optionsOf(folder, arrays, { size: 8, channels: 1, ...data }),
        "train",
        silent,
      );
    const good = f32([2, 8], () => 0.5);
    await assertRejects(
      () => load({ x: good }, { size: 16 }),
      RangeError,
      "length 8 and channels 1, got 16 and 1",
    );
    await assertRejects(
      () => load({ x: good }, { range: [0, 0.25] }),
      RangeError,
      "must lie in data.range, 0 to 0.25, got 0.5; they go from 0.5 to 0.5",
    );
    await assertRejects(
      () => load({ x: f32([2, 8], (i) => i === 9 ? NaN : 0) }),
      SyntaxError,
      "x must be finite, got NaN in signal 1",
    );
    await assertRejects(
      () => load({ x: f32([16], () => 0) }),
      SyntaxError,
      "x must be of shape [N, L] or [N, L, C], got [16]",
    );
    await assertRejects(
      () => load({ test_signals: good }),
      SyntaxError,
      "it must hold train_signals, got test alone",
    );
    assertThrows(
      () => signalSplits(writeNpz([["a", good], ["b", good]])),
      SyntaxError,
      "it must hold train_signals, or one array alone, got a, b",
    );
    await assertRejects(
      () => optionsOf(folder, { x: good }, { size: [8, 8] }),
      UsageError,
      "data.size must be a number for signals: their length",
    );
    await assertRejects(
      () => optionsOf(folder, { x: good }, { size: 8, range: [1, 1] }),
      UsageError,
      "data.range must ascend",
    );
  }));
