/**
 * The page: figures, table and configs in one HTML file that needs no other.
 *
 * @module
 */
import { dottedEntries, isSection } from "../../config/keys.ts";
import {
  bandCurves,
  LEARNING_SHARES,
  learningTimes,
} from "../../metrics/instruments/learning_times.ts";
import { estimate } from "../../metrics/numerics/statistics.ts";
import { bandLabels, bandsOf, type Figure } from "../../run_log/charts/figures.ts";
import { estimateOf, formatEstimate, QUANTITIES, type Quantity } from "../../run_log/quantities.ts";
import { type Comparison, differencesTable } from "../../run_log/comparisons.ts";
import type { ExperimentTable } from "../../run_log/experiment_table.ts";
import type { Method } from "../../run_log/read_run.ts";
import { escapeText, svgDocument } from "../../run_log/charts/svg.ts";

const STYLE = `
:root { color: #222; background: #fff; font: 16px/1.5 Inter, Helvetica, Arial, sans-serif; }
body { max-width: 1000px; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p.about, figcaption, td.note { color: #5f6368; }
figure { margin: 0; }
figure > svg { max-width: 100%; height: auto; display: block; }
figure svg image { image-rendering: pixelated; }
figcaption { font-size: .88rem; max-width: 46rem; margin-top: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; white-space: nowrap; }
td.note { white-space: normal; }
thead th { border-bottom: 1.5px solid #222; font-weight: 600; }
tbody tr + tr td, tbody tr + tr th { border-top: 1px solid #e3e5e8; }
tbody th { font-weight: 600; }
details > summary { cursor: pointer; margin: .75rem 0; color: #5f6368; }
@media print {
  body { max-width: none; margin: 0; font-size: 11px; }
  figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
code { font: .85em ui-monospace, Menlo, Consolas, monospace; }
`;

/** What a page is made of. */
export interface PageParts {
  readonly title: string;
  readonly methods: readonly Method[];
  readonly figures: readonly Figure[];
  /** What experiments in the named folders found. */
  readonly tables?: readonly ExperimentTable[];
}

/** The page as text. */
export function makePage({ title, methods, figures, tables = [] }: PageParts): string {
  const shown = shownQuantities(methods);
  const parts = [
    `<h1>${escapeText(title)}</h1>`,
    ...tables.map(({ about }) => about === "" ? "" : `<p>${escapeText(about)}</p>`),
    `<p class="about">${escapeText(describe(methods))}</p>`,
    shown.length > 0 ? `<h2>Numbers</h2>${numbersTable(methods, shown)}` : "",
    ...tables.map(comparisonsSection),
    ...figures.map((figure) =>
      figureSection(figure) + (figure.name === "bands" ? timesTables(methods) : "")
    ),
    `<h2>Methods</h2>${methodsTable(methods)}`,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.filter((part) => part !== "").join("\n")}
</body>
</html>
`;
}

/** Quantities that at least one run has. */
export function shownQuantities(methods: readonly Method[]): Quantity[] {
  return QUANTITIES.filter((quantity) =>
    methods.some((method) => estimateOf(method, quantity) !== null)
  );
}

function describe(methods: readonly Method[]): string {
  const runs = methods.flatMap((method) => method.runs);
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const tasks = new Set(
    runs.map(({ config: { data, model, train } }) => {
      const width = "channels" in model ? ` of ${model.channels} channels` : "";
      return `${data.name}, ${model.name}${width}, ${train.steps} steps of ${train.batchSize} images`;
    }),
  );
  const [task = ""] = tasks.size === 1 ? tasks : ["Methods, at the end, lists in what they differ"];
  return `${count(methods.length, "method")}, ${count(runs.length, "run")}: ${task}`;
}

function figureSection({ title, caption, drawing }: Figure): string {
  return `<h2>${escapeText(title)}</h2><figure>${svgDocument(drawing)}` +
    `<figcaption>${escapeText(caption)}</figcaption></figure>`;
}

/** A row a number and a column a method: numbers of one kind stand below their head. */
function numbersTable(methods: readonly Method[], quantities: readonly Quantity[]): string {
  const head = ["", ...methods.map(({ name }) => name), ""];
  const rows = quantities.map((quantity) => {
    const cells = methods.map((method) =>
      `<td>${escapeText(formatEstimate(estimateOf(method, quantity)))}</td>`
    );
    return `<tr><th>${escapeText(quantity.label)}</th>${cells.join("")}` +
      `<td class="note">${escapeText(quantity.about)}</td></tr>`;
  });
  const several = methods.some(({ runs }) => runs.length > 1);
  const note = several ? "Mean over seeds ± half the 95 % interval of Student's t." : "";
  return `<div class="wide"><table><thead><tr>${
    head.map((name) => `<th>${escapeText(name)}</th>`).join("")
  }</tr></thead><tbody>${rows.join("")}</tbody></table></div><p class="about">${note}</p>`;
}

/** Differences that an experiment found, those that are left after the correction first. */
function comparisonsSection({ comparisons }: ExperimentTable): string {
  if (comparisons.length === 0) return "";
  const sure = comparisons.filter(({ corrected = null }) => corrected !== null && corrected < SURE);
  const rest = comparisons.filter((each) => !sure.includes(each));
  const table = (list: readonly Comparison[]) => {
    const { head, rows } = differencesTable(list);
    return `<div class="wide"><table><thead><tr>${
      head.map((cell) => `<th>${escapeText(cell)}</th>`).join("")
    }</tr></thead><tbody>${
      rows.map((row) => `<tr>${row.map((cell) => `<td>${escapeText(cell)}</td>`).join("")}</tr>`)
        .join("")
    }</tbody></table></div>`;
  };
  return `<h2>Differences</h2><p class="about">${
    escapeText(
      `At the same seed: mean ± half the 95 % interval of t; p of a paired t test, and corrected ` +
        `for all ${comparisons.length} comparisons (Holm 1979); the smallest difference that this ` +
        `design sees four times in five. ${sure.length} of them ${
          sure.length === 1 ? "is" : "are"
        } left after the correction at 5 %.`,
    )
  }</p>${sure.length > 0 ? table(sure) : ""}${
    rest.length > 0
      ? `<details><summary>${rest.length} that are not</summary>${table(rest)}</details>`
      : ""
  }`;
}

/** Corrected probability below which a difference counts. */
const SURE = 0.05;

/** Steps to shares of the way of each band's loss: a table for the methods that share their bands. */
function timesTables(methods: readonly Method[]): string {
  const logged = methods.filter((method) => bandsOf([method]).length > 0);
  const alike = Map.groupBy(logged, (method) => bandsOf([method]).join());
  return [...alike.values()].map(timesTable).join("") +
    '<p class="about">Steps after which a ' +
    "band's loss has gone so much of its way from its first value to the mean of its last tenth.</p>";
}

/** Steps to a half and to nine tenths of the way: two rows a method, of methods with the same bands. */
function timesTable(methods: readonly Method[]): string {
  const labels = bandLabels(bandsOf(methods));
  const rows = methods.flatMap(({ name, runs }) =>
    LEARNING_SHARES.map((share, i) => {
      const cells = labels.map((_, band) => {
        const times = runs.flatMap((run) => {
          const curve = bandCurves(run.bandLosses)[band];
          return curve ? learningTimes(curve)[i] ?? [] : [];
        });
        return `<td>${escapeText(formatEstimate(estimate(times)))}</td>`;
      });
      return `<tr><th>${escapeText(name)}</th><td>${100 * share} %</td>${cells.join("")}</tr>`;
    })
  );
  const head = ["steps to", "of the way", ...labels.map((label) => `|k| ${label}`)];
  return `<div class="wide"><table><thead><tr>${
    head.map((cell) => `<th>${escapeText(cell)}</th>`).join("")
  }</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function methodsTable(methods: readonly Method[]): string {
  const rows = methods.map((method) => {
    const changes = differences(methods[0]!, method);
    const keys = changes.length > 0
      ? changes.map((change) => `<code>${escapeText(change)}</code>`).join("<br>")
      : "the others differ from it in what they list";
    const seeds = method.runs.map(({ seed }) => seed).join(", ");
    const dirs = method.runs.map(({ dir }) => `<code>${escapeText(dir)}</code>`).join("<br>");
    return `<tr><th>${
      escapeText(method.name)
    }</th><td>${seeds}</td><td>${keys}</td><td>${dirs}</td></tr>`;
  });
  return `<div class="wide"><table><thead><tr><th>method</th><th>seeds</th><th>config</th>` +
    `<th>runs</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

/** Fields of a method's config that are not as the first's. */
function differences(base: Method, method: Method): string[] {
  const before = new Map(dottedEntries(base.runs[0]!.config));
  return [...dottedEntries(method.runs[0]!.config)].flatMap(([key, value]) => {
    if (isSection(value) || /^(run|instruments)\./.test(key)) return [];
    const text = JSON.stringify(value);
    return text === JSON.stringify(before.get(key)) ? [] : [`${key} = ${text}`];
  });
}
