/**
 * What must hold of a page, and how fast it is.
 *
 * @module
 */
import type { GpuCounters } from "../../device/gpu.ts";
import { formatTable } from "../../support/terminal.ts";
import { leastSquares } from "../soak/slope.ts";
import type { BrowserPage, PageMemory } from "./chromium.ts";
import { difference, falls, lossesOf } from "./compare.ts";
import { markdownTable } from "./markdown.ts";
import type { CountedSide, Side } from "./sides.ts";

/** Largest difference that two drivers' round-off may make in images of [-1, 1]. */
export const ROUND_OFF = 1e-5;
/** The same of losses, as a share of them. */
export const LOSS_ROUND_OFF = 1e-4;
/** What the page's heap may grow by: it keeps a line of its charts every ten steps, and breathes. */
const HEAP_BYTES_A_STEP = 512, HEAP_BYTES = 32 * 1024;

/** Something that was looked at. */
export interface Finding {
  readonly what: string;
  readonly found: string;
  /** Whether it is as it must be. */
  readonly holds: boolean;
}

/** What was found of training. */
export interface TrainingReport {
  readonly findings: readonly Finding[];
  /** Tables to read: losses side by side, and memory by step. */
  readonly tables: readonly string[];
}

/** Findings as a table of Markdown. */
export function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ what, found, holds }) => [what, found, holds ? "yes" : "NO"]);
  return markdownTable(["what", "found", "holds"], rows);
}

/** The same images from the same seeds. */
export async function checkDrawing(page: Side, deno: Side, count: number): Promise<Finding[]> {
  const [a, b] = [await page.draw(0, count), await deno.draw(0, count)];
  const { worst, same, count: values } = difference(a.images, b.images);
  return [{
    what: `${count} images`,
    found: `${same} of ${values} values the same, the largest difference ${worst}`,
    holds: worst <= ROUND_OFF,
  }];
}

/** What {@linkcode checkTraining} is told. */
export interface TrainingCheck {
  /** Steps whose losses are compared. */
  readonly steps: number;
  /** Steps of the page. */
  readonly memorySteps: number;
  readonly memory: () => Promise<PageMemory>;
}

/** What a page held after so many steps. */
interface Reading extends PageMemory {
  readonly step: number;
  readonly counters: GpuCounters;
}

/** The same losses, which fall, and a page that does not grow. */
export async function checkTraining(
  page: CountedSide,
  deno: Side,
  { steps, memorySteps, memory }: TrainingCheck,
): Promise<TrainingReport> {
  const all = Math.max(steps, memorySteps), readings: Reading[] = [];
  const before = await page.counters();
  const lines = await page.train({
    steps: all,
    onLine: async ({ step }) => {
      readings.push({ step, ...await memory(), counters: await page.counters() });
    },
  });
  const after = await page.counters();
  const own = await deno.train({ steps: all, until: steps });
  const [a, b] = [lossesOf(lines).slice(0, steps), lossesOf(own)];
  const { worst, same } = difference(a, b, true);
  const [start = NaN, end = NaN] = [a[0], a.at(-1)];
  const findings = [
    {
      what: `losses of ${steps} steps`,
      found: `${same} the same, the largest difference ${worst} of them`,
      holds: worst <= LOSS_ROUND_OFF,
    },
    {
      what: "the loss falls",
      found: `from ${start.toPrecision(3)} to ${end.toPrecision(3)}`,
      holds: falls(a),
    },
    ...memoryFindings(readings),
    {
      what: "bytes that buffers hold after a run, more than before",
      found: `${after.bufferBytes - before.bufferBytes}`,
      holds: after.bufferBytes === before.bufferBytes,
    },
  ];
  const losses = a.map((loss, i) => [i + 1, loss, b[i]!]);
  const tables = [
    formatTable(["step", "loss in the page", "in Deno"], losses),
    memoryTable(readings),
  ];
  return { findings, tables };
}

function memoryTable(readings: readonly Reading[]): string {
  return formatTable(
    ["step", "heap, KiB", "GPU process, MiB", "buffers", "MiB", "bind groups", "pipelines"],
    readings.map(({ step, heap, gpuProcess, counters }) => [
      ...[step, round(heap / 1024), round(gpuProcess / 2 ** 20), counters.buffers],
      ...[round(counters.bufferBytes / 2 ** 20), counters.bindGroups, counters.pipelines],
    ]),
  );
}

/** Readings of a run, the first of which may be of a page that settles. */
function memoryFindings(readings: readonly Reading[]): Finding[] {
  const settled = readings.slice(Math.ceil(readings.length / 5));
  const [first, last] = [settled[0]!, settled.at(-1)!];
  const steps = last.step - first.step, made = objects(last.counters) - objects(first.counters);
  const { slope, error } = leastSquares(settled.map(({ step: x, heap: y }) => ({ x, y })));
  return [
    {
      what: `JavaScript's heap, steps ${first.step} to ${last.step}`,
      found: `${round(slope)} bytes a step (standard error ${round(error)})`,
      holds: slope * steps < HEAP_BYTES_A_STEP * steps + HEAP_BYTES,
    },
    { what: "GPU objects made in these steps", found: `${made}`, holds: made === 0 },
  ];
}

function objects({ buffers, textures, bindGroups, pipelines, shaderModules }: GpuCounters): number {
  return buffers + textures + bindGroups + pipelines + shaderModules;
}

const round = (value: number) => Math.round(10 * value) / 10;

/** A page that says nothing on the console, and asks nobody but its server. */
export function quietFindings({ complaints, requests }: BrowserPage, url: string): Finding[] {
  const elsewhere = requests.filter((address) => !address.startsWith(url));
  const found = (list: readonly string[]) => [`${list.length}`, ...list.slice(0, 1)].join(": ");
  return [{
    what: "errors and warnings on the console",
    found: found(complaints),
    holds: complaints.length === 0,
  }, {
    what: `requests to other hosts, of ${requests.length}`,
    found: found(elsewhere),
    holds: elsewhere.length === 0,
  }];
}
