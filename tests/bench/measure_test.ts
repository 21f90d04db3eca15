import type { BenchCase, BenchRun } from "../../bench/bench_case.ts";
import { CASES } from "../../bench/cases.ts";
import { measure, type MeasureOptions, median, selectCases } from "../../bench/measure.ts";
import { isMeasurement } from "../../bench/report.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

/** Milliseconds on a clock that only the cases move. */
let clock = 0;
const OPTIONS: MeasureOptions = { batch: 1, rounds: 3, sampleMs: 1, now: () => clock };

/** A case that takes `ms` a call and writes down what happens to it. */
function busy(
  log: string[],
  bench: Partial<BenchCase> & { name: string },
  ms: number,
  run: Partial<BenchRun> = {},
): BenchCase {
  return {
    summary: "waits",
    unit: "GFLOP/s",
    ...bench,
    open: () => ({
      work: 1e6,
      start: () => Promise.resolve(),
      run() {
        log.push(bench.name);
        clock += ms;
      },
      validate: () => Promise.resolve(void log.push(`validate ${bench.name}`)),
      destroy: () => void log.push(`destroy ${bench.name}`),
      ...run,
    }),
  };
}

Deno.test("measure() checks every case before it times any, and cases take turns", async () => {
  const log: string[] = [];
  const cases = ["a", "b"].map((name) => busy(log, { name }, 5));
  await measure(await testGpu(), cases, OPTIONS);
  assertEquals(log, [
    ...["a", "validate a", "a", "a"],
    ...["b", "validate b", "b", "b"],
    ...["a", "b", "a", "b", "a", "b"],
    ...["destroy a", "destroy b"],
  ]);
});

Deno.test("measure() begins no further round once its time is over, and takes one at least", async () => {
  for (const [seconds, rounds] of [[0.001, 1], [0.022, 2]] as const) {
    const log: string[] = [];
    // Three calls of 5 ms before the first round.
    await measure(await testGpu(), [busy(log, { name: "a" }, 5)], { ...OPTIONS, seconds });
    assertEquals(log.filter((it) => it === "a").length, 3 + rounds, `${seconds} s`);
  }
});

Deno.test("measure() gives the rate, the share of the ceiling and the time of the first call", async () => {
  const cases = [
    busy([], { name: "limit", measures: "multiply_add" }, 2),
    busy([], { name: "work", ceiling: "multiply_add" }, 8),
  ];
  const outcomes = await measure(await testGpu(), cases, OPTIONS);
  const results = outcomes.filter(isMeasurement);
  assertEquals(results.map((m) => m.case), ["limit", "limit.first", "work", "work.first"]);
  const work = results[2]!;
  // 10^6 operations in 8 ms, where the limit is that many in 2 ms.
  assertAlmostEquals(work.value, 0.125, 1e-9);
  assertAlmostEquals(work.best!, 0.125, 1e-9);
  assertAlmostEquals(work.ofCeiling!, 0.25, 1e-9);
  assertEquals(results.map(({ ofCeiling }) => ofCeiling === null), [true, true, false, true]);
  assertAlmostEquals(results[3]!.value, 8, 1e-9);
});

Deno.test("measure() sets the bytes that are moved against the least", async () => {
  const cases = [
    busy([], { name: "pass", unit: "GB/s" }, 2, { moved: () => 1.5e6 }),
    busy([], { name: "product" }, 2, { moved: () => 1.5e6 }),
  ];
  const results = (await measure(await testGpu(), cases, OPTIONS)).filter(isMeasurement);
  assertEquals(results.map(({ ofLeast }) => ofLeast), [1.5, undefined, undefined, undefined]);
});

Deno.test("measure() counts the dispatches of a step and the time to encode one", async () => {
  const step = busy([], { name: "step", unit: "s/step" }, 4, { dispatches: () => 1000 });
  const results = (await measure(await testGpu(), [step], OPTIONS)).filter(isMeasurement);
  assertEquals(results.map((m) => m.case), [
    "step",
    "step.first",
    "step.dispatches",
    "step.encode",
  ]);
  assertEquals(results[2]!.value, 1000);
  // 4 ms over 1000 dispatches, in microseconds.
  assertAlmostEquals(results[3]!.value, 4, 1e-9);
  assertAlmostEquals(results[3]!.best!, 4, 1e-9);
  assertAlmostEquals(results[0]!.value, 0.004, 1e-12);
});

Deno.test("measure() reports a case with wrong results, does not time it and goes on", async () => {
  const log: string[] = [];
  const validate = () => Promise.reject(new Error("element 3 is 2, expected 1"));
  const cases = [busy(log, { name: "wrong" }, 1, { validate }), busy(log, { name: "right" }, 1)];
  const outcomes = await measure(await testGpu(), cases, OPTIONS);
  assertEquals(outcomes[0], { case: "wrong", error: "element 3 is 2, expected 1" });
  assertEquals(outcomes.slice(1).map((outcome) => outcome.case), ["right", "right.first"]);
  assertEquals(log.filter((line) => line === "wrong").length, 1);
  assert(log.includes("destroy wrong"));
});

Deno.test("median() takes the middle of unsorted values and the lower of two middles", () => {
  assertEquals(median([5, 1, 3]), 3);
  assertEquals(median([4, 1, 3, 2]), 2);
});

Deno.test("selectCases() adds the ceilings that the chosen cases are held against", () => {
  const names = (filter: string) => selectCases(CASES, filter).map(({ name }) => name);
  assertEquals(names("silu4M"), ["copy_vec4", "silu4M"]);
  assertEquals(names("conv2d_fwd,sync"), [
    "multiply_add_f32x12",
    "multiply_add_vec4x6",
    "sync",
    "conv2d_fwd",
    "conv2d_fwd_bwd",
  ]);
  assertEquals(names("").length, CASES.length);
  assertThrows(() => names("tranformer"), RangeError, "must be part of one of");
});

Deno.test("CASES have the names that peers use, each once", () => {
  const names = CASES.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  for (const name of ["sync", "matmul768", "conv2d_fwd", "conv2d_fwd_bwd", "silu4M", "ddpm_step"]) {
    assert(names.includes(name), name);
  }
});

Deno.test("CASES of kernels pass their own checks", async () => {
  const names = "sync,dispatch,silu4M,group_norm,fft2,attention";
  const outcomes = await measure(
    await testGpu(),
    selectCases(CASES, names).filter(({ name }) => !name.startsWith("multiply_add")),
    { ...OPTIONS, rounds: 1, now: () => performance.now() },
  );
  for (const outcome of outcomes) assert(isMeasurement(outcome), JSON.stringify(outcome));
});
