import { join } from "node:path";
import { createRun, dataOf, Images, loadData, loadRun, type NewRun, ofClass } from "../../lab.ts";
import type { SamplingStep, TrainingStep } from "../../lab.ts";
import { encodePng } from "../../formats/png.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

/** The settings of config/smoke.json, all given, without instruments, and others. */
async function small(settings: NewRun = {}): Promise<NewRun & { train: { steps: number } }> {
  const config = await smokeConfig("instruments.bandLoss=false");
  return { ...config, gpu: await testGpu(), say: () => {}, ...settings } as never;
}

/** Whether two files have the same bytes. */
async function same(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => Deno.readFile(path)));
  return first!.length === second!.length && first!.every((byte, i) => byte === second![i]);
}

/** The fourth step of a run of given settings beside the small one's. */
async function lastStep({ data, model }: Pick<NewRun, "data" | "model">): Promise<TrainingStep> {
  // A network begins by predicting zeros, whatever the images are.
  const optim = { warmupSteps: 0, lr: 1e-2 };
  using run = await createRun(await small({ data: data!, model: model!, optim }));
  return (await collect(run.trainSteps({ steps: 4 }))).at(-1)!;
}

/** All steps of a training. */
async function collect<T>(steps: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(steps);
}

Deno.test("Run.trainSteps() gives the checkpoint that a run in a folder gives, byte for byte", () =>
  inFolder(async (folder) => {
    const config = await smokeConfig("instruments.bandLoss=false");
    const { checkpoint } = await trainInFolder(config, join(folder, "run"));
    using run = await createRun(await small());
    const steps = await collect(run.trainSteps({ every: 4, steps: 5 }));
    assertEquals(steps.map(({ step }) => step), [4, 5]);
    const path = join(folder, "new", "half.safetensors");
    await run.save(path);
    using again = await loadRun(path, { gpu: run.gpu, say: () => {} });
    assertEquals(again.step, 5);
    const last = await again.train();
    assertEquals([last?.step, last?.steps], [6, 6]);
    await again.save(path);
    assert(await same(path, checkpoint));
    await assertRejects(() => again.train(), RangeError, "it has all of its 6");
  }));

Deno.test("Run.train() tells of means of losses, rates and what instruments saw", async () => {
  const settings = await small({ instruments: { bandLoss: true } });
  const single = { ...settings, train: { ...settings.train, logEvery: 2 } };
  using run = await createRun(single);
  const each = await collect(run.trainSteps({ steps: 4 }));
  using other = await createRun(single);
  const told: TrainingStep[] = [];
  await other.train({ steps: 4, every: 4, onStep: (step) => void told.push(step) });
  const last = told.at(-1)!;
  const mean = each.reduce((sum, { loss }) => sum + loss, 0) / 4;
  // The look at step 2 begins a mean of its own.
  assertEquals(told.map(({ step }) => step), [2, 4]);
  assert(Math.abs((told[0]!.loss + last.loss) / 2 - mean) < 1e-6, `${last.loss}, ${mean}`);
  assertEquals(last.gradNorm, each[3]!.gradNorm);
  assertEquals(last.seen.map(({ event }) => event), ["bandLoss"]);
  assertEquals(each.map(({ seen }) => seen.length), [0, 1, 0, 1]);
});

Deno.test("Run.sampleSteps() shows how images come about that sample() gives", () =>
  inFolder(async (folder) => {
    using run = await createRun(await small());
    await run.train({ steps: 1 });
    const options = { count: 3, seed: 7, sampler: "ddim", steps: 4, eta: 1 } as const;
    const images = await run.sample(options);
    const steps = await collect(run.sampleSteps({ ...options, every: 3 }));
    assertEquals(steps.map(({ step, steps }) => [step, steps]), [[3, 4], [4, 4]]);
    assertEquals(steps.map(({ first, timestep }) => [first, timestep]), [[0, 5], [0, 0]]);
    assertEquals(steps.at(-1)!.images.images, images.images);
    assertEquals([images.count, images.height, images.width, images.channels], [3, 8, 8, 1]);
    // Leaving early leaves a run that can be sampled again.
    for await (const { step } of run.sampleSteps(options)) if (step === 2) break;
    const told: SamplingStep[] = [];
    const alone = await run.sample({
      ...options,
      count: 1,
      onStep: (step) => void told.push(step),
    });
    assertEquals(alone.floats, images.floats.slice(0, 64));
    assertEquals(told.length, 4);
    const path = join(folder, "model.safetensors");
    await run.save(path);
    using loaded = await loadRun(path, { gpu: run.gpu });
    assertEquals((await loaded.sample(options)).floats, images.floats);
    const copy = join(folder, "copy.safetensors");
    await loaded.save(copy);
    assert(await same(copy, path));
    // Another set of weights than that which was loaded.
    await loaded.train({ steps: 1 });
    const later = await loaded.sample(options);
    assert(later.floats.some((value, i) => value !== images.floats[i]));
  }));

Deno.test("createRun() begins with the weights of a run, for images of one class", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    using base = await createRun(await small());
    await base.train({ steps: 2 });
    const pixels = Uint8Array.from({ length: 6 * 64 }, (_, i) => i % 251);
    const labels = Uint8Array.of(0, 1, 1, 0, 1, 1), classNames = ["cat", "dog"];
    const size = { count: 6, height: 8, width: 8, channels: 1 };
    const dogs = ofClass(dataOf({ images: pixels, labels, classNames, ...size }), "dog");
    assertEquals([dogs.count, dogs.images[0]], [4, 64]);
    const tuning = { data: dogs, train: { epochs: 2 }, gpu, say: () => {} };
    using tuned = await createRun({ ...tuning, from: base });
    assertEquals([tuned.config.train.steps, tuned.step], [2, 0]);
    const options = { count: 2, sampler: "ddim", steps: 2 } as const;
    assertEquals((await tuned.sample(options)).floats, (await base.sample(options)).floats);
    const path = join(folder, "base.safetensors");
    await base.save(path);
    using other = await createRun({ ...tuning, from: path });
    await tuned.train();
    await other.train();
    assertEquals((await other.sample(options)).floats, (await tuned.sample(options)).floats);
  }));

Deno.test("Run.sample() draws classes by name, guided, in batches, of a run that was loaded too", () =>
  inFolder(async (folder) => {
    using run = await createRun({
      ...{ gpu: await testGpu(), say: () => {}, train: { steps: 4, batchSize: 4 } },
      // This network begins with zeros, and knows nothing of classes.
      optim: { lr: 0.02, warmupSteps: 0, decay: "constant" },
      data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 16 } },
      model: { name: "dit", channels: 8, heads: 2, depth: 1, classes: 6, labelDropout: 0.5 },
    });
    await run.train();
    const options = { sampler: "ddim", steps: 2, eta: 0, count: 3, batch: 2, seed: 4 } as const;
    const rings = await run.sample({ ...options, classes: ["ring"] });
    const both = await run.sample({ ...options, classes: [3, "disc"] });
    assertEquals(both.floats.subarray(0, 64), rings.floats.subarray(0, 64));
    assert(both.floats.subarray(64, 128).some((value, i) => value !== rings.floats[64 + i]));
    const guided = await run.sample({ ...options, classes: ["ring"], guidance: 4 });
    assert(guided.floats.some((value, i) => value !== rings.floats[i]));
    const steps = await collect(run.sampleSteps({ ...options, classes: ["ring"] }));
    assertEquals(steps.map(({ first, images }) => [first, images.count]), [
      [0, 2],
      [0, 2],
      [2, 1],
      [2, 1],
    ]);
    const path = join(folder, "model.safetensors");
    await run.save(path);
    using loaded = await loadRun(path, { gpu: run.gpu });
    const again = await loaded.sample({ ...options, classes: ["ring"], guidance: 4 });
    assertEquals(again.floats, guided.floats);
    await assertRejects(() => loaded.sample({ classes: ["cat"] }), RangeError, "disc, square");
  }));

Deno.test("A run refuses what can't be, and says what to do", async () => {
  const gpu = await testGpu();
  const misspelt = { train: { stepz: 3 } } as NewRun;
  await assertRejects(
    () => createRun({ ...misspelt, gpu }),
    UsageError,
    "did you mean train.steps?",
  );
  await assertRejects(() => loadData({ name: "mnist", size: 3 }), UsageError, "data.size must");
  // Images are nowhere: the adapter is looked at first.
  const data = { name: "folder", size: 8, dir: "/nowhere" } as const;
  const half: NewRun = { data, train: { precision: "f16" } };
  await assertRejects(
    () => createRun({ ...half, gpu: planningGpu(null) }),
    RangeError,
    'the adapter must have shader-f16, no adapter has not; use train: { precision: "f32" }',
  );
  using run = await createRun(await small());
  await assertRejects(() => run.train({ steps: 7 }), RangeError, "from 1 to 6");
  await assertRejects(() => run.train({ every: 0 }), RangeError, "every must be");
  await assertRejects(() => run.sample({ count: 0 }), RangeError, "count must be");
  await assertRejects(() => run.sample({ classes: ["cat"] }), RangeError, "it knows none");
  await assertRejects(() => run.sample({ sampler: "ddim", eta: -1 }), UsageError, "eta");
  for await (const _ of run.trainSteps()) {
    await assertRejects(() => run.train(), Error, "being trained already");
    break;
  }
  assertEquals(run.step, 1);
});

Deno.test("Images and pictures of them are what notebooks and files want", () =>
  inFolder(async (folder) => {
    const size = { height: 4, width: 4, channels: 1 };
    const dark = new Images(new Float32Array(16).fill(-1), size);
    const images = Images.join([dark, new Images(new Float32Array(32).fill(1), size)]);
    assertEquals([images.count, images.images[0], images.images[16]], [3, 0, 255]);
    const picture = images.grid(3);
    const path = join(folder, "deep", "grid.png");
    await picture.save(path);
    assertEquals(await Deno.readFile(path), picture.png);
    const shown = Reflect.get(picture, Symbol.for("Jupyter.display")).call(picture);
    assertEquals(Uint8Array.fromBase64(shown["image/png"]), picture.png);
    let refused: unknown;
    try {
      new Images(new Float32Array(15), size);
    } catch (error) {
      refused = error;
    }
    assert(refused instanceof RangeError, `${refused}`);
  }));

Deno.test("createRun() trains on random crops and buckets as they are asked for, which loadData() can't hold", () =>
  inFolder(async (folder) => {
    for (let i = 0; i < 16; i++) {
      const [height, width] = i % 2 ? [12, 30] : [30, 12];
      const data = Uint8Array.from({ length: height! * width! * 3 }, (_, k) => (k * (i + 3)) % 256);
      const png = encodePng({ width: width!, height: height!, channels: 3, data });
      await Deno.writeFile(join(folder, `${i}.png`), png);
    }
    const data = { name: "folder", dir: folder, size: 8 } as const;
    const losses = new Set<number>();
    const model = { channels: 8, channelMultipliers: [1, 2], dropout: 0, groups: 4 };
    const ways = [{ crop: true }, { crop: "random" }, { buckets: "auto", bucketStep: 4 }] as const;
    for (const way of ways) {
      const { loss } = await lastStep({ data: { ...data, ...way }, model });
      assert(Number.isFinite(loss));
      losses.add(loss);
    }
    assertEquals(losses.size, 3);
    for (const way of ways.slice(1)) {
      await assertRejects(() => loadData({ ...data, ...way }), UsageError, "give the settings");
    }
  }));
