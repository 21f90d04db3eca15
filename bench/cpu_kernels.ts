/**
 * Measures products on the CPU driver that it finds, for `deno task cpu-ceiling`, which runs it once for
 * each kind of vectors, as the driver is told by its environment. Takes the number of rounds and of
 * threads and the family of kernels, prints a JSON line a case. By the time that the process ran, so that
 * what else the machine does counts little.
 *
 * @module
 */
import process from "node:process";
import type { BenchRun } from "./bench_case.ts";
import { CASES } from "./cases.ts";
import { openGpu } from "../device/open_gpu.ts";
import { setVariantPolicy } from "../kernels/shared/variants.ts";

/** What is measured: the ceiling of the benchmarks, and two products. */
const KERNEL_CASES = ["multiply_add_f32x12", "matmul768", "conv2d_fwd"] as const;

if (import.meta.main) {
  const [rounds, threads, family] = Deno.args;
  const gpu = await openGpu();
  if (family !== "texture" && family !== "subgroup") {
    throw new TypeError(`Cannot measure: the family must be texture or subgroup, got ${family}`);
  }
  setVariantPolicy(gpu, { forced: family });
  const runs: { name: string; run: BenchRun; rates: number[] }[] = [];
  for (const name of KERNEL_CASES) {
    const bench = CASES.find((one) => one.name === name)!;
    const run = await bench.open(gpu, { batch: 1 });
    await run.start();
    await run.run();
    await run.validate();
    runs.push({ name, run, rates: [] });
  }
  for (let round = 0; round < Number(rounds); round++) {
    for (const { run, rates } of runs) {
      await gpu.finish();
      const before = process.cpuUsage();
      await run.run();
      await gpu.finish();
      const { user, system } = process.cpuUsage(before);
      rates.push(run.work! * Number(threads) / (user + system) / 1e3);
    }
  }
  for (const { name, run, rates } of runs) {
    const sorted = rates.toSorted((a, b) => a - b);
    const line = { step: name, gflops: sorted[sorted.length >> 1], best: sorted.at(-1) };
    console.log(JSON.stringify(line));
    run.destroy();
  }
  gpu.destroy();
}
