import { join } from "node:path";
import type { Pixels } from "../../../../data/dataset.ts";
import type { FeatureExtractor } from "../../../../metrics/judges/features/features.ts";
import { collect } from "../../../../commands/shared/evaluation/collect.ts";
import { collectReference } from "../../../../commands/shared/evaluation/reference.ts";
import type { ImageSource } from "../../../../commands/shared/evaluation/source.ts";
import { COMMON_METRICS, METRIC_NAMES } from "../../../../metrics/judges/options.ts";
import { judge, referenceOf } from "../../../../metrics/judges/compare.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../../support/assert.ts";
import { readSafetensors, writeSafetensors } from "../../../../formats/safetensors.ts";
import { randomValues } from "../../../support/gpu.ts";
import { inFolder } from "../../../support/folder.ts";

const SIDE = 8;

/** Noise images. */
function source(count: number, seed: number): ImageSource {
  const images = Uint8Array.from(
    randomValues(count * SIDE * SIDE, seed, 30),
    (x) => Math.max(0, Math.min(255, Math.round(120 + seed + x))),
  );
  return {
    ...{ name: `noise ${seed}`, fingerprint: `noise ${seed}`, count },
    ...{ height: SIDE, width: SIDE, channels: 1 },
    read: (first, n) => {
      const part = images.subarray(first * SIDE * SIDE, (first + n) * SIDE * SIDE);
      return Promise.resolve({ images: part, count: n, height: SIDE, width: SIDE, channels: 1 });
    },
  };
}

/** Features without a network: means of four rows, and their softmax. */
const extractor: FeatureExtractor = {
  name: "row means",
  dimension: 4,
  classes: 4,
  extract({ images, count }: Pixels) {
    const features = new Float32Array(count * 4);
    for (let i = 0; i < features.length; i++) {
      const n = Math.floor(i / 4), row = i % 4;
      for (let x = 0; x < SIDE; x++) {
        features[i] = features[i]! + images[(n * SIDE + row) * SIDE + x]! / 100;
      }
    }
    const probabilities = features.map((_, i) => {
      const first = 4 * Math.floor(i / 4);
      const scores = Array.from(features.subarray(first, first + 4), Math.exp);
      return scores[i - first]! / scores.reduce((a, b) => a + b, 0);
    });
    return Promise.resolve({ features, probabilities });
  },
  destroy() {},
};

function options(count: number, lines: string[] = []) {
  const say = (line: string) => void lines.push(line);
  return { label: "test", metrics: COMMON_METRICS, extractor, count, keep: 100, say };
}

Deno.test("collect() goes on after a kill, and ends with the same numbers", async () => {
  await inFolder(async (folder) => {
    const state = join(folder, "state");
    const reference = referenceOf("reference", (await collect(source(200, 1), options(200)))!);
    const whole = (await collect(source(300, 2), options(300)))!;
    const stop = new AbortController();
    const begun = source(300, 2);
    let chunks = 0;
    const stopping: ImageSource = {
      ...begun,
      read: (first, n) => {
        if (++chunks === 2) stop.abort();
        return begun.read(first, n);
      },
    };
    const none = await collect(stopping, { ...options(300), state, signal: stop.signal });
    assertEquals(none, null);
    const lines: string[] = [];
    const resumed = (await collect(source(300, 2), { ...options(300, lines), state }))!;
    assertEquals(lines, ["Going on after 128 of 300 (test)"]);
    const judged = await judge(whole, reference, { metrics: COMMON_METRICS });
    assertEquals(await judge(resumed, reference, { metrics: COMMON_METRICS }), judged);
    assertEquals(judged.map(({ key }) => key), [
      ...["frechetDistance", "inceptionScore", "kernelDistance", "precision", "recall"],
      ...["density", "coverage", "spectralDistance"],
    ]);
    assert(judged.every(({ value }) => Number.isFinite(value)));
    const labels = new Set(judged.slice(0, -1).map(({ features }) => features));
    assertEquals([...labels, judged.at(-1)!.features], ["row means", null]);
  });
});

Deno.test("collect() starts afresh where the state belongs to something else or is damaged", async () => {
  await inFolder(async (folder) => {
    const state = join(folder, "state");
    await collect(source(100, 1), { ...options(100), state, keepState: true });
    const lines: string[] = [];
    const other = (await collect(source(100, 2), { ...options(100, lines), state }))!;
    assertStringIncludes(lines[0]!, "belongs to another evaluation");
    await Deno.writeTextFile(state, "nonsense");
    const again = (await collect(source(100, 2), { ...options(100, lines), state }))!;
    assertStringIncludes(lines[1]!, "is damaged");
    assertEquals(again.moments!.gaussian(), other.moments!.gaussian());
  });
});

Deno.test("collect() leaves nothing behind of a state that lacks a part", async () => {
  await inFolder(async (folder) => {
    const state = join(folder, "state"), lines: string[] = [];
    await collect(source(100, 1), { ...options(100), state, keepState: true });
    const { metadata, tensors } = readSafetensors(await Deno.readFile(state));
    await Deno.writeFile(
      state,
      writeSafetensors([...tensors].filter(([name]) => name !== "kept"), metadata),
    );
    const again = (await collect(source(100, 1), { ...options(100, lines), state }))!;
    assertStringIncludes(lines[0]!, "is damaged (Cannot restore an evaluation: kept must have");
    const afresh = (await collect(source(100, 1), options(100)))!;
    assertEquals(again.tensors(), afresh.tensors());
  });
});

Deno.test("collectReference() refuses statistics of other features", async () => {
  const statistics = {
    ...{ dimension: 4, mean: new Float64Array(4), covariance: new Float64Array(16) },
    ...{ count: 9, features: "something else" },
  };
  const choice = { name: "file.npz", images: null, statistics, own: null };
  const error = await assertRejects(
    () => collectReference(choice, { ...options(9), limit: undefined }),
    Error,
    "must be the 4 of the row means, got 4 of the something else",
  );
  assertEquals(error.name, "UsageError");
  const anonymous = { ...choice, statistics: { ...statistics, features: null } };
  const reference = await collectReference(anonymous, { ...options(9), limit: undefined });
  assertEquals([reference?.count, reference?.spectra], [9, null]);
});

Deno.test("judge() computes what it can of few images, and says what it cannot", async () => {
  const reference = referenceOf("reference", (await collect(source(50, 1), options(50)))!);
  const judged = async (count: number) => {
    const lines: string[] = [];
    const side = (await collect(source(count, 2), options(count)))!;
    const found = await judge(side, reference, { metrics: COMMON_METRICS }, (line) => {
      lines.push(line);
    });
    return { keys: found.map(({ key }) => key), lines };
  };
  assertEquals(await judged(3), {
    keys: ["frechetDistance", "inceptionScore", "kernelDistance", "spectralDistance"],
    lines: [
      "Precision, recall, density and coverage left out: 6 images a side at least are needed, got 3 " +
      "and 50",
    ],
  });
  const one = await judged(1);
  assertEquals([one.keys, one.lines.length], [["inceptionScore"], 4]);
  assertEquals((await judged(6)).lines, []);
  const single = referenceOf("single", (await collect(source(1, 1), options(1)))!);
  const side = (await collect(source(9, 2), options(9)))!;
  const alone = await judge(side, single, { metrics: ["fid", "kid", "precision"] });
  assertEquals(alone.map(({ key }) => key), ["inceptionScore"]);
});

Deno.test("collect() keeps the classes of images over a kill, and judge() tells how they are shown", async () => {
  await inFolder(async (folder) => {
    const state = join(folder, "state"), lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    const classed = (count: number, seed: number): ImageSource => {
      const plain = source(count, seed);
      const read: ImageSource["read"] = async (first, n) => {
        const labels = Array.from({ length: n }, (_, i) => (first + i) % 3);
        return { ...await plain.read(first, n), labels };
      };
      return { ...plain, read };
    };
    const own = { ...extractor, knowsLabels: true };
    const common = { ...options(200), metrics: METRIC_NAMES, extractor: own };
    const reference = referenceOf("reference", (await collect(classed(200, 1), common))!);
    const whole = (await collect(classed(200, 2), common))!;
    const stop = new AbortController(), begun = classed(200, 2);
    const read: ImageSource["read"] = (first, n) => {
      if (first > 0) stop.abort();
      return begun.read(first, n);
    };
    await collect({ ...begun, read }, { ...common, state, signal: stop.signal });
    const resumed = (await collect(begun, { ...common, state }))!;
    const metrics = ["classes"] as const;
    const judged = await judge(whole, reference, { metrics }, say);
    assertEquals([await judge(resumed, reference, { metrics }, say), lines], [judged, []]);
    const found = new Map(judged.map((metric) => [metric.key, metric]));
    // By hand: the likeliest of each image's rows.
    const { probabilities } = await extractor.extract(await source(200, 2).read(0, 200));
    const right = Array.from({ length: 200 }, (_, i) => {
      const row = probabilities.subarray(4 * i, 4 * i + 4);
      return row.every((p) => p <= row[i % 3]!) ? 1 : 0;
    });
    assertEquals(found.get("classShare")!.value, right.reduce<number>((a, b) => a + b, 0) / 200);
    assertEquals(found.get("classShare")!.byClass!.length, 4);
    assert(found.get("classFrechetDistance")!.value > 0);
    const plain = (await collect(source(200, 2), common))!;
    await judge(plain, reference, { metrics }, say);
    const foreign = (await collect(classed(200, 2), { ...common, extractor }))!;
    const bare = { ...reference, classed: null };
    assertEquals(
      (await judge(foreign, bare, { metrics }, say)).find(({ byClass }) => byClass),
      undefined,
    );
    assertEquals(lines.map((line) => line.replace(/:.*/, "")), [
      "Share in their class left out",
      "Shares of classes left out",
      "Distances within classes left out",
    ]);
  });
});
