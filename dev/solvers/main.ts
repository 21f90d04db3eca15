/**
 * How far solvers are from where many steps lead, on a trained network: `deno task solvers`. Those that
 * draw no noise are compared image by image with a reference of many steps from the same noise; those
 * that draw noise cannot be, and their values are compared as a whole.
 *
 * @module
 */
import { join } from "node:path";
import { parseConfig } from "../../config/load.ts";
import {
  CHECKPOINT_OPTION,
  findCheckpoint,
  loadSampler,
  movesOf,
  WEIGHTS_OPTIONS,
} from "../../commands/shared/load_sampler.ts";
import { openScriptGpu } from "../../commands/shared/gpu.ts";
import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import type { Process } from "../../diffusion/process.ts";
import { processOf } from "../../training/run_process.ts";
import {
  SAMPLER_NAMES,
  type SamplerName,
  type SamplerOptions,
  SAMPLERS,
} from "../../diffusion/samplers/registry.ts";
import type { Sampler } from "../../diffusion/sampling.ts";
import { rasterizeSvg } from "../../formats/svg_raster.ts";
import { lineChart } from "../../run_log/charts/line_chart.ts";
import { paletteColour, svgDocument } from "../../run_log/charts/svg.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";

/** Evaluations of the network that solvers are given. */
const BUDGETS = [5, 10, 20, 50];
/** Steps of the references. */
const REFERENCE = 1000;
/** The solvers in the picture. */
const SHOWN: readonly SamplerName[] = [
  "ddim",
  "heun",
  "dpmpp-2m",
  "dpmpp-3m",
  "unipc",
  "lms",
  "deis",
];

const command = defineCommand({
  name: "solvers",
  summary: "Measure solvers on a trained network, by evaluations.",
  description: `Prints a table of errors against ${REFERENCE} steps and draws a picture of it.`,
  options: {
    ...CHECKPOINT_OPTION,
    ...WEIGHTS_OPTIONS,
    count: { value: "N", parse: integer({ min: 1 }), default: 6, description: "images of each" },
    out: { value: "DIR", description: "where the picture goes", default: "." },
  },
  examples: [{ args: "--checkpoint runs/quickstart --count 16", does: "measures all solvers" }],
});

/** A solver with the number of steps that costs a number of evaluations, or the nearest below. */
function within(process: Process, name: SamplerName, evaluations: number): Move[] | null {
  const { along } = SAMPLERS[name];
  const base: SamplerOptions = {
    ...{ name, steps: 1 },
    spacing: name === "pndm" || name === "ancestral" ? "trailing" : "karras",
  };
  for (let steps = evaluations; steps > 0; steps--) {
    if (name === "ddpm") return null;
    const moves = movesOf(process, { ...base, steps });
    const cost = moves.filter(isEvaluation).length;
    if (cost <= evaluations) return steps > 1 || !along ? moves : null;
  }
  return null;
}

/** Root of the mean squared difference. */
function rms(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);
}

/** Mean difference of the sorted values: how much one set's values would have to move (Wasserstein). */
function moved(a: Float32Array, b: Float32Array): number {
  const [x, y] = [a, b].map((values) => Float32Array.from(values).sort());
  return x!.reduce((sum, value, i) => sum + Math.abs(value - y![i]!), 0) / a.length;
}

interface Row {
  readonly name: SamplerName;
  /** By budget; null where it buys no step. */
  readonly errors: readonly (number | null)[];
}

async function measure(
  sampler: Sampler,
  process: Process,
  names: readonly SamplerName[],
  errorOf: (images: Float32Array) => number,
  seeds: readonly number[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of names) {
    const errors: (number | null)[] = [];
    for (const budget of BUDGETS) {
      const moves = within(process, name, budget);
      errors.push(moves && errorOf(await sampler.sample(moves, seeds)));
    }
    rows.push({ name, errors });
    console.error(name, ...errors.map((error) => error?.toFixed(4) ?? "-"));
  }
  return rows;
}

function table(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["solver", ...BUDGETS.map(String)]),
    line(["---", ...BUDGETS.map(() => "---:")]),
    ...rows.map(({ name, errors }) =>
      line([`\`${name}\``, ...errors.map((error) => error?.toFixed(4) ?? "")])
    ),
  ].join("\n");
}

/** The picture of the table. */
async function picture(rows: readonly Row[]): Promise<Uint8Array> {
  const series = rows.filter(({ name }) => SHOWN.includes(name)).map(({ name, errors }, i) => ({
    ...{ label: name, colour: paletteColour(i), marks: true },
    points: errors.flatMap((error, k) => error === null ? [] : [{ x: BUDGETS[k]!, y: error }]),
  }));
  const chart = lineChart({
    title: `RMS difference from ${REFERENCE} steps`,
    x: { label: "evaluations of the network", log: true },
    y: { label: "RMS difference", log: true },
    series,
    width: 640,
  });
  return await rasterizeSvg(svgDocument(chart));
}

if (import.meta.main) {
  await runCommand(command, async ({ options }) => {
    const checkpoint = await findCheckpoint(options.checkpoint);
    const config = parseConfig(checkpoint.config, { path: checkpoint.path });
    const process = processOf({ ...config, diffusion: { ...config.diffusion, clipX0: false } });
    const gpu = await openScriptGpu();
    const batch = Math.min(options.batch, options.count);
    const { sampler, destroy } = await loadSampler(gpu, { config, checkpoint, process }, {
      ...options,
      batch,
    });
    const seeds = Array.from({ length: options.count }, (_, i) => i);
    const draw = (sampler_: SamplerOptions, own: readonly number[]) =>
      sampler.sample(movesOf(process, sampler_), own);
    const quiet = SAMPLER_NAMES.filter((name) => SAMPLERS[name].along);
    const noisy = SAMPLER_NAMES.filter((name) => !SAMPLERS[name].along && name !== "ddpm");
    const flow = await draw({ name: "dpmpp-2m", steps: REFERENCE, spacing: "karras" }, seeds);
    const rows = await measure(sampler, process, quiet, (images) => rms(images, flow), seeds);
    const ancestral = await draw({ name: "ddpm", steps: null }, seeds);
    const floor = moved(flow, ancestral);
    const drawn = await measure(
      sampler,
      process,
      noisy,
      (images) => moved(images, ancestral),
      seeds,
    );
    console.log(
      `${table(rows)}\n\n${
        table(drawn)
      }\n\nThe reference of the first table against that of the second: ${floor.toFixed(4)}`,
    );
    destroy();
    await ensureFolder(options.out);
    await atomicWrite(join(options.out, "solvers.png"), await picture(rows));
    return 0;
  });
}
