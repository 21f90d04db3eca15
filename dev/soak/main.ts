/**
 * Trains for long and watches the process's memory: `deno task soak`. A run that is left alone over
 * night must not grow. The task switches V8's optimising compiler off: what is compiled when depends
 * on time, and adds half a megabyte between steps 1,000 and 3,000, which would hide a slow leak or
 * look like one.
 *
 * @module
 */
import { checkpointConfig, formatConfig, loadConfig } from "../../config/load.ts";
import { studentQuantile } from "../../metrics/numerics/statistics.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { atomicWrite } from "../../support/files.ts";
import { collectGarbage } from "../../support/gc.ts";
import { integer } from "../../support/numbers.ts";
import { formatTable, startProgress } from "../../support/terminal.ts";
import { formatCount } from "../../training/run_summary.ts";
import type { Observer } from "../../training/observer.ts";
import { trainRun } from "../../training/run.ts";
import { watchStopSignals } from "../../training/stop_signals.ts";
import { openScriptGpu } from "../../commands/shared/gpu.ts";
import { runInstruments, stepInstruments } from "../../commands/shared/instruments.ts";
import { checkResultFile } from "../../commands/shared/path_checks.ts";
import { goesUp, leastSquares, PAGE_SLOPE, type Reading, type Slope } from "./slope.ts";

/** Steps between two readings, each after a collection of its own. */
const READ_EVERY = 200;

/** Previews, checkpoints and validation as often as a short run can have them. */
const INTERVALS: readonly (readonly [string, string])[] = [
  ["train.logEvery", "10"],
  ["train.sampleEvery", "40"],
  ["train.checkpointEvery", "50"],
  ["train.evalEvery", "50"],
];

/** What a long run showed. */
export interface SoakReport {
  /** Resident bytes after so many steps. */
  readonly readings: readonly Reading[];
  /** Bytes in use on JavaScript's heap, at the same moments. */
  readonly heap: readonly Reading[];
  /** Resident bytes a step once the run had settled. */
  readonly slope: Slope;
  /** The same of the heap: an upward line of resident bytes alone is the allocators' doing. */
  readonly heapSlope: Slope;
  /** Half the slope's 95 % interval, by Student's t. */
  readonly halfWidth: number;
  /** GPU objects that were made once the run had settled. */
  readonly objects: number;
}

/** Choices of {@linkcode soak}. */
export interface SoakOptions {
  readonly steps: number;
  /** Steps that the run may take to settle. */
  readonly settle: number;
  /** The run's folder. */
  readonly dir: string;
  readonly signal: AbortSignal;
  readonly update: (step: number) => void;
}

/**
 * Trains config/smoke.json with everything that a run may do, in this process.
 *
 * @throws {Error} When it was stopped before its end.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { steps, settle, dir, signal, update } = options;
  const path = new URL("../../config/smoke.json", import.meta.url).pathname;
  const config = await loadConfig(path, [
    ...INTERVALS,
    ["train.steps", `${steps}`],
    ["run.dir", dir],
  ]);
  const gpu = await openScriptGpu();
  const objects = () => {
    const { buffers, bindGroups, pipelines, shaderModules } = gpu.counters;
    return buffers + bindGroups + pipelines + shaderModules;
  };
  const readings: Reading[] = [], heap: Reading[] = [];
  let settled = 0;
  const reader: Observer = {
    everySteps: READ_EVERY,
    atEnd: false,
    read: (step) => {
      // The loop's own may be some steps ago, and this one's preview came after it.
      collectGarbage();
      const { rss, heapUsed } = Deno.memoryUsage();
      readings.push({ x: step, y: rss });
      heap.push({ x: step, y: heapUsed });
      if (step <= settle) settled = objects();
      return Promise.resolve(null);
    },
  };
  const instruments = stepInstruments(gpu, config);
  const { finished } = await trainRun(config, {
    ...{ gpu, dir, configText: formatConfig(config), checkpointConfig: checkpointConfig(config) },
    ...{ resume: false, say: () => {}, signal },
    display: () => ({ update, print: () => {} }),
    observers: [...instruments, reader],
    observe: (trainer) => runInstruments(config, trainer),
  });
  if (!finished) throw new Error("Cannot judge the memory: the run must be done, it was stopped");
  const settledSlope = (of: readonly Reading[]) => leastSquares(of.filter(({ x }) => x > settle));
  const slope = settledSlope(readings), heapSlope = settledSlope(heap);
  const halfWidth = studentQuantile(0.975, slope.points - 2) * slope.error;
  return { readings, heap, slope, heapSlope, halfWidth, objects: objects() - settled };
}

const command = defineCommand({
  name: "soak",
  summary: "Train for thousands of steps and check that memory does not grow.",
  description:
    "Runs config/smoke.json with previews, checkpoints and validation, and fits a line " +
    `to resident memory after a collection, every ${READ_EVERY} steps. Exit code 1 when it ` +
    `goes up, which is by more than two standard errors and more than ${PAGE_SLOPE.toFixed(1)} ` +
    "bytes a step (a page in 500 steps), or when GPU objects were made after the run had settled.",
  options: {
    steps: { value: "N", parse: integer({ min: 800 }), default: 5000, description: "steps in all" },
    settle: {
      value: "N",
      parse: integer({ min: 0 }),
      default: 1000,
      description: "steps before memory is judged",
    },
    out: { value: "FILE", description: "write the readings as JSON" },
  },
  examples: [{ args: "", does: "5,000 steps, of which the last 4,000 are judged" }],
});

function slopeText({ slope, error }: Slope): string {
  return `${slope.toFixed(1)} bytes a step, standard error ${error.toFixed(1)}`;
}

if (import.meta.main) {
  await runCommand(command, async ({ options: { steps, settle, out } }) => {
    await checkResultFile(out, { extension: ".json" });
    const dir = await Deno.makeTempDir({ prefix: "diffract-soak-" });
    const stop = new AbortController();
    const bar = startProgress({ label: "soak", total: steps });
    const unwatch = watchStopSignals(stop, () => bar.print("Finishing the step"));
    const live = Deno.stderr.isTerminal();
    const update = (step: number) => {
      if (live || step % 500 === 0) bar.update(step);
    };
    try {
      const report = await soak({ steps, settle, dir, signal: stop.signal, update });
      const { readings, heap, slope, heapSlope, halfWidth, objects } = report;
      if (out !== undefined) await atomicWrite(out, `${JSON.stringify(report)}\n`);
      const kib = (bytes: number) => formatCount(Math.round(bytes / 1024));
      const rows = readings.map(({ x, y }, i) => [x, kib(y), kib(heap[i]!.y)]);
      console.log(formatTable(["step", "resident KiB", "JavaScript's heap KiB"], rows));
      console.log(
        `resident  ${slopeText(slope)}, 95 % from ${(slope.slope - halfWidth).toFixed(1)} to ${
          (slope.slope + halfWidth).toFixed(1)
        } (${slope.points} readings after step ${settle})`,
      );
      console.log(`heap      ${slopeText(heapSlope)}`);
      console.log(`objects   ${objects} made on the GPU after step ${settle}`);
      return goesUp(slope) || objects > 0 ? 1 : 0;
    } finally {
      unwatch();
      bar.stop();
      await Deno.remove(dir, { recursive: true });
    }
  });
}
