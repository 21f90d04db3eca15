/**
 * The parts of the report, in the order in which they are run: what tells most comes first, as later
 * ones may find no time left.
 *
 * @module
 */
import { join } from "node:path";
import { PORTABLE_FAMILIES } from "../../kernels/shared/variants.ts";
import type { Part, PartOutput } from "./run_part.ts";

/** What there is to report on. */
export interface ReportOptions {
  /** Whether everything is done in its shortest form, to try the report itself. */
  readonly quick: boolean;
  /** A folder for what parts write. */
  readonly work: string;
  /** WebGPU implementations, as DIFFRACT_GPU names them. */
  readonly providers: readonly string[];
  /** Whether a PyTorch is there. */
  readonly pytorch: boolean;
  /** Precisions that runs may have; none where the config has no such key. */
  readonly precisions: readonly string[];
}

/** Steps of the training runs. */
const STEPS = 500, QUICK_STEPS = 10;

const run = (script: string, ...args: string[]) => ["run", "-A", script, ...args];

/** Lines of standard output that are JSON. */
function jsonLines({ stdout }: PartOutput): Record<string, unknown>[] {
  return stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

/** All parts. */
export function reportParts(options: ReportOptions): Part[] {
  const families = options.quick ? PORTABLE_FAMILIES.slice(0, 1) : PORTABLE_FAMILIES;
  const [first, ...others] = options.providers
    .map((provider) => families.map((family) => verify(family, provider)));
  return [
    doctor(),
    ...first ?? [],
    ...trainings(options),
    bench(options),
    kernelTests(options),
    ...(options.providers.includes("dawn") ? [matrixTests()] : []),
    tune(options),
    ...others.flat(),
  ];
}

interface Finding {
  readonly area: string;
  readonly name: string;
  readonly status: string;
  readonly text: string;
}

function doctor(): Part {
  return {
    ...{ name: "doctor", title: "Machine", args: run("commands/doctor/main.ts", "--json") },
    seconds: 60,
    read({ stdout }) {
      const data = JSON.parse(stdout) as { findings: readonly Finding[] };
      const told = data.findings.filter(({ area }) => ["vulkan", "gpu"].includes(area));
      const lines = told.map(({ status, area, name, text }) =>
        `- ${status}: ${area} ${name}: ${text}`
      );
      return { text: lines.join("\n"), data };
    },
  };
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
}

function verify(family: string, provider: string): Part {
  return {
    name: `verify-${family}-${provider}`,
    title: `PyTorch's numbers by the kernels ${family} on ${provider}`,
    args: run("commands/verify/main.ts", "--json", "--variant", family),
    ...{ env: { DIFFRACT_GPU: provider }, seconds: 45 },
    read(output) {
      const lines = jsonLines(output);
      const { summary } = lines.at(-1) as { summary: Counts };
      const wrong = lines.filter(({ status }) => status === "fail" || status === "FAIL");
      const { passed, failed, unsupported } = summary;
      return {
        text: [
          `${passed} passed, ${failed} failed, ${unsupported} unsupported`,
          ...wrong.map((line) => `- ${JSON.stringify(line)}`),
        ].join("\n"),
        data: { summary, wrong },
      };
    },
  };
}

function trainings({ quick, work, precisions }: ReportOptions): Part[] {
  const steps = quick ? QUICK_STEPS : STEPS;
  const kinds = precisions.length === 0 ? ["f32"] : precisions;
  return kinds.map((precision) => {
    const dir = join(work, `run-${precision}`);
    return {
      ...{ name: `train-${precision}`, title: `Training in ${precision}, ${steps} steps` },
      args: run(
        "train.ts",
        ...["--config", quick ? "config/smoke.json" : "config/quickstart.json"],
        ...[`--run.dir=${dir}`, `--train.steps=${steps}`, "--train.sampleEvery=0"],
        ...(quick ? [] : ["--data.name=synthetic", "--data.synthetic.channels=1"]),
        ...(precisions.length === 0 ? [] : [`--train.precision=${precision}`]),
      ),
      seconds: 90,
      read: () => readRun(join(dir, "log.jsonl")),
    };
  });
}

/** Losses and the rate of a run. */
async function readRun(path: string) {
  const text = await Deno.readTextFile(path);
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const losses = lines.filter(({ loss }) => loss !== undefined);
  // The first line has the making of pipelines in it.
  const rates: number[] = losses.slice(losses.length > 1 ? 1 : 0)
    .map(({ imagesPerSecond }) => imagesPerSecond);
  const validation = lines.findLast(({ valLoss }) => valLoss !== undefined)?.valLoss ?? null;
  const { step, loss } = losses.at(-1);
  const imagesPerSecond = rates.toSorted((a, b) => a - b)[rates.length >> 1]!;
  const data = { step, loss, validation, imagesPerSecond };
  return {
    text: `Step ${step}: loss ${loss.toFixed(4)}, validation ${
      validation?.toFixed(4) ?? "none"
    }, ${imagesPerSecond} images/s`,
    data,
  };
}

function bench({ quick, pytorch }: ReportOptions): Part {
  return {
    name: "bench",
    title: "Speed",
    args: run(
      "commands/bench/main.ts",
      // What is measured by then is printed before PyTorch's turn comes.
      ...["--json", "--rounds", quick ? "1" : "5", "--seconds", "60"],
      ...(quick ? ["--filter", "silu4M"] : pytorch ? ["--pytorch"] : []),
    ),
    seconds: 170,
    read(output) {
      const data = jsonLines(output);
      const rows = data.flatMap((line) => {
        const { case: name, value, unit, ofCeiling, mode, ms } = line as Record<string, never>;
        if (mode !== undefined && ms !== undefined) {
          return [[name, `${Number(ms).toPrecision(4)} ms`, `PyTorch ${mode}`]];
        }
        if (value === undefined || String(name).includes(".")) return [];
        const share = ofCeiling === null ? "" : `${(100 * Number(ofCeiling)).toFixed(0)} %`;
        return [[name, `${Number(value).toPrecision(4)} ${unit}`, share]];
      });
      return { text: markdownTable(["case", "median", "of the ceiling"], rows), data };
    },
  };
}

function kernelTests({ quick }: ReportOptions): Part {
  return {
    ...{ name: "tests", title: "Tests of kernels", seconds: 90 },
    args: [
      ...["test", "-A", "--no-check", "--frozen"],
      quick ? "tests/kernels/elementwise/" : "tests/kernels/",
    ],
    read: readTests,
  };
}

function readTests({ stdout }: PartOutput) {
  const [line = ""] = stdout.match(/.*\d+ passed.*/) ?? [];
  const failed = [...stdout.matchAll(/^(.*) \.\.\. FAILED/gm)].map(([, name]) => name!);
  return {
    text: [line.trim(), ...failed.map((name) => `- ${name}`)].join("\n"),
    data: { summary: line.trim(), failed },
  };
}

/** Products of halves by every family: that of matrix units can only be forced where Dawn grants some. */
function matrixTests(): Part {
  return {
    ...{
      name: "tests-f16-dawn",
      title: "Products of halves on dawn, on matrix units too",
      seconds: 60,
    },
    args: ["test", "-A", "--no-check", "--frozen", "tests/kernels/shared/half_test.ts"],
    env: { DIFFRACT_GPU: "dawn" },
    read: readTests,
  };
}

function tune({ quick, work }: ReportOptions): Part {
  const seconds = quick ? 1 : 60;
  return {
    ...{ name: "tune", title: "Fastest kernels of the quickstart", seconds: seconds + 30 },
    args: run(
      "commands/tune/main.ts",
      ...["config/quickstart.json", "--again", "--seconds", `${seconds}`],
      ...["--folder", join(work, "tuning")],
    ),
    async read({ stdout }) {
      const tables: unknown[] = [];
      for await (const { name } of Deno.readDir(join(work, "tuning"))) {
        tables.push(JSON.parse(await Deno.readTextFile(join(work, "tuning", name))));
      }
      return { text: ["```", stdout.trim(), "```"].join("\n"), data: tables };
    },
  };
}

/** A table in Markdown. */
export function markdownTable(head: readonly string[], rows: readonly unknown[][]): string {
  const line = (cells: readonly unknown[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
