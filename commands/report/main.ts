/**
 * Reports on runs: `deno task report RUN [RUN ...]`.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { rasterizeSvg } from "../../formats/svg_raster.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { runFolder } from "../../training/run_folder.ts";
import { makeFigures } from "../../run_log/charts/figures.ts";
import { describeUnread } from "../../run_log/log_lines.ts";
import { forEachRun } from "../../run_log/named_runs.ts";
import { makePage } from "./page.ts";
import { readTable } from "../../run_log/experiment_table.ts";
import { groupRuns, readRun } from "../../run_log/read_run.ts";
import { sampleFigure } from "./sample_grids.ts";
import { svgDocument } from "../../run_log/charts/svg.ts";

/** Pixels a unit of a drawing: what print asks for. */
const PRINT_SCALE = 3;

const command = defineCommand({
  name: "report",
  summary: "Draw what runs have logged: one HTML page, and each figure as PNG and SVG.",
  description: "Runs that differ in their seed alone are one method. The first method is what " +
    "others are compared with.",
  arguments: [{ name: "RUN...", description: "folders of runs, or with runs in them" }],
  options: {
    out: { value: "DIR", description: "where it goes; report/ in the only folder, or here" },
    title: { value: "TEXT", description: "the page's title" },
  },
  examples: [
    { args: "runs/quickstart", does: "writes runs/quickstart/report/index.html and its pictures" },
    { args: "runs/a runs/b --out compared", does: "compares two runs" },
    { args: "runs", does: "compares all runs in runs/" },
  ],
});

async function report(
  { arguments: paths, options }: Invocation<typeof command.options>,
): Promise<void> {
  const [first] = paths;
  if (first === undefined) {
    throw new UsageError("Cannot report: a run's folder must be named, see --help");
  }
  const runs = await forEachRun(paths, "report on", ({ dir }) => readRun(dir));
  for (const { dir, unread } of runs) {
    if (unread) console.error(`note: ${runFolder(dir).log}: ${describeUnread(unread)}`);
  }
  const methods = groupRuns(runs);
  const out = options.out ?? join(paths.length === 1 ? first : ".", "report");
  const samples = await sampleFigure(methods);
  const figures = [...makeFigures(methods), ...(samples ? [samples] : [])];
  await ensureFolder(out);
  for (const { name, drawing } of figures) {
    const svg = svgDocument(drawing);
    await atomicWrite(join(out, `${name}.svg`), svg);
    await atomicWrite(join(out, `${name}.png`), await rasterizeSvg(svg, PRINT_SCALE));
  }
  const tables = await Promise.all(paths.map(readTable));
  const title = options.title ?? paths.map((path) => basename(resolve(path))).join(", ");
  const page = join(out, "index.html");
  await atomicWrite(
    page,
    makePage({ title, methods, figures, tables: tables.filter((table) => table !== null) }),
  );
  console.log(`Wrote ${page} and ${figures.length} figures as PNG and SVG beside it`);
}

if (import.meta.main) await runCommand(command, report);
