import { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import { OPTIMIZER_SCALARS_SHAPE, optimizerScalars, recordOptimizer } from "../../optim/adam.ts";
import {
  NO_POWER_EMA,
  type OptimOptions,
  PLAIN_EMA,
  PLAIN_RATE,
  PLAIN_START,
} from "../../optim/options.ts";
import { adamReference } from "../reference/adam.ts";
import { assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { randomValues, testGpu } from "../support/gpu.ts";

const OPTIONS: OptimOptions = {
  name: "adam",
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  gradClip: 1,
  lr: 0.01,
  warmupSteps: 2,
  decay: "constant",
  ...PLAIN_RATE,
  ema: { decay: 0.99, ...PLAIN_EMA },
  powerEma: NO_POWER_EMA,
  ...PLAIN_START,
};

const ENTRIES = [{ name: "a", shape: [5, 7] }, { name: "b", shape: [3] }, {
  name: "c",
  shape: [64],
}];

Deno.test("recordOptimizer() clips over all chunks, warms up and averages as f64 does", async () => {
  const gpu = await testGpu();
  // 256 bytes a chunk: every tensor has a chunk of its own.
  const arena = (label: string) => Arena.create(gpu, label, ENTRIES, 256);
  const [params, grads, m, v, ema] = ["params", "grads", "m", "v", "ema"].map(arena);
  assertEquals(params!.chunks.length, 3);
  const start = ENTRIES.map(({ shape }, i) => randomValues(shape.reduce((a, b) => a * b), i + 1));
  ENTRIES.forEach(({ name }, i) => {
    gpu.write(params!.get(name), start[i]!);
    gpu.write(ema!.get(name), start[i]!);
  });
  const capture = new Capture(gpu, "test");
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  const { norm, coefficient } = recordOptimizer(capture, {
    params: params!,
    grads: grads!,
    m: m!,
    v: v!,
    ema: ema!,
    options: OPTIONS,
    scalars,
  });
  capture.keep(norm);
  capture.keep(coefficient);
  const program = await capture.plan();
  const states = start.map((values) => ({
    param: Float64Array.from(values),
    m: new Float64Array(values.length),
    v: new Float64Array(values.length),
  }));
  const averages = start.map((values) => Float64Array.from(values));
  for (let step = 0; step < 4; step++) {
    const g = start.map((values, i) => randomValues(values.length, 20 + 3 * step + i));
    ENTRIES.forEach(({ name }, i) => gpu.write(grads!.get(name), g[i]!));
    program.run({ optimizer: optimizerScalars(OPTIONS, step, 100) });
    const size = Math.sqrt(g.flatMap((values) => [...values]).reduce((t, x) => t + x * x, 0));
    assertAllClose(await program.readF32(norm), [size]);
    assertAllClose(await program.readF32(coefficient), [1 / (size + 1e-6)]);
    const lr = 0.01 * Math.min(step, 2) / 2;
    states.forEach((state, i) => {
      const clipped = g[i]!.map((value) => value / (size + 1e-6));
      adamReference(state, clipped, step + 1, { ...OPTIONS, lr, decoupled: false });
      averages[i]!.forEach((value, k) => averages[i]![k] = 0.99 * value + 0.01 * state.param[k]!);
    });
  }
  for (const [i, { name }] of ENTRIES.entries()) {
    assertAllClose(await gpu.readF32(params!.get(name)), states[i]!.param, { name });
    assertAllClose(await gpu.readF32(ema!.get(name)), averages[i]!, { name: `average of ${name}` });
  }
  program.destroy();
  for (const each of [params, grads, m, v, ema]) each!.destroy(gpu);
});

Deno.test("recordOptimizer() of sgd goes down the gradient, and moments stay as they are", async () => {
  const gpu = await testGpu();
  const arena = (label: string) => Arena.create(gpu, label, ENTRIES);
  const [params, grads, m, v] = ["params", "grads", "m", "v"].map(arena);
  const of = (name: string, seed: number) =>
    randomValues(params!.get(name).shape.reduce((a, b) => a * b, 1), seed);
  ENTRIES.forEach(({ name }, i) => {
    gpu.write(params!.get(name), of(name, i));
    gpu.write(grads!.get(name), of(name, 9 + i));
    gpu.write(m!.get(name), of(name, 5));
  });
  const options: OptimOptions = {
    ...OPTIONS,
    ...{ name: "sgd", lr: 0.25, gradClip: 0, warmupSteps: 0, weightDecay: 0.5 },
  };
  const capture = new Capture(gpu, "test");
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  recordOptimizer(capture, { params: params!, grads: grads!, m: m!, v: v!, options, scalars });
  const program = await capture.plan();
  program.run({ optimizer: optimizerScalars(options, 3, 100) });
  for (const [i, { name }] of ENTRIES.entries()) {
    const g = of(name, 9 + i);
    const expected = of(name, i).map((p, k) => p - 0.25 * (g[k]! + 0.5 * p));
    assertAllClose(await gpu.readF32(params!.get(name)), expected, { name });
    assertEquals(await gpu.readF32(m!.get(name)), of(name, 5));
  }
  program.destroy();
  for (const each of [params, grads, m, v]) each!.destroy(gpu);
});

Deno.test("recordOptimizer() refuses arenas of different layouts", async () => {
  const gpu = await testGpu();
  const params = Arena.create(gpu, "params", ENTRIES);
  const other = Arena.create(gpu, "other", ENTRIES.slice(1));
  const capture = new Capture(gpu, "test");
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  const record = { params, grads: other, m: params, v: params, options: OPTIONS, scalars };
  assertThrows(() => recordOptimizer(capture, record), RangeError, "one layout");
  params.destroy(gpu);
  other.destroy(gpu);
});

Deno.test("optimizerScalars() is computed in f64 and cast once", () => {
  const options: OptimOptions = { ...OPTIONS, name: "adamw", weightDecay: 0.1, warmupSteps: 0 };
  assertEquals(
    [...optimizerScalars(options, 999, 2000)],
    [
      0.01 / (1 - 0.9 ** 1000),
      1 / Math.sqrt(1 - 0.999 ** 1000),
      1 - 0.01 * 0.1,
      0.99,
      1 - 0.99,
      0.9,
      1 - 0.9,
    ].map(Math.fround),
  );
});

Deno.test("recordOptimizer() leaves what lies apart as it is, and averages it", async () => {
  const gpu = await testGpu();
  const entries = [{ name: "fixed", shape: [6], apart: true }, { name: "learned", shape: [6] }];
  const arena = (label: string) => Arena.create(gpu, label, entries);
  const [params, grads, m, v, ema] = ["params", "grads", "m", "v", "ema"].map(arena);
  const values = Float32Array.of(1, -2, 3, -4, 5, -6);
  for (const name of ["fixed", "learned"]) gpu.write(params!.get(name), values);
  const options: OptimOptions = { ...OPTIONS, name: "adamw", weightDecay: 0.5, warmupSteps: 0 };
  const capture = new Capture(gpu, "test");
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  recordOptimizer(capture, {
    ...{ params: params!, grads: grads!, m: m!, v: v!, ema: ema!, options, scalars },
  });
  const program = await capture.plan();
  program.run({ optimizer: optimizerScalars(options, 0, 10) });
  assertEquals(await gpu.readF32(params!.get("fixed")), values);
  assertAllClose(await gpu.readF32(ema!.get("fixed")), values.map((x) => 0.01 * x));
  assertAllClose(await gpu.readF32(params!.get("learned")), values.map((x) => 0.995 * x));
  program.destroy();
});
