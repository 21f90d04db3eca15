/**
 * What the compiled kernels of a step tell: counts of their hot loops, and where the step's time would go
 * if nothing ever waited.
 *
 * @module
 */
import { formatTable } from "../../support/terminal.ts";
import type { CompiledKernel } from "./child.ts";
import { type Chip, type ChipName, CHIPS, occupancy } from "./chips.ts";
import { countLoop, type LoopCounts, multiplyAddsOf } from "./loop_counts.ts";
import { hotLoop, parseCode } from "./machine_code.ts";

/** One kernel of a step on a chip. */
export interface KernelReport {
  readonly name: string;
  readonly dispatches: number;
  /** Least and most workgroups of a dispatch. */
  readonly workgroups: readonly [least: number, most: number];
  readonly invocations: number;
  /** Lanes of a wave. */
  readonly wave: number;
  /** Vector registers of a lane. */
  readonly vgprs: number;
  /** Spilled registers, vector and scalar. */
  readonly spilled: number;
  readonly scratchBytes: number;
  readonly ldsBytes: number;
  readonly codeBytes: number;
  /** Waves that a SIMD holds, of 16. */
  readonly waves: number;
  readonly loop: LoopCounts;
  /** Operations of its products in a step, 10^9. */
  readonly gigaflops: number;
  /** Bytes that its dispatches must move at least, 10^6. */
  readonly megabytes: number;
  /** Milliseconds of the step if nothing ever waits: by the loop's bound or by bandwidth. */
  readonly milliseconds: number;
  /** The same with a bound of 1 and all processors at work. */
  readonly leastMilliseconds: number;
  /** What the time above comes from. */
  readonly limit: "arithmetic" | "bandwidth";
}

/** Counts the kernels of a step, those that take longest first. */
export function reportKernels(kernels: readonly CompiledKernel[], name: ChipName): KernelReport[] {
  const chip: Chip = CHIPS[name];
  return kernels.map((kernel) => reportKernel(kernel, chip))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

function reportKernel(kernel: CompiledKernel, chip: Chip): KernelReport {
  const { statistics, dispatches, invocations } = kernel;
  const stat = (name: string) => statistics[name] ?? 0;
  const wave = stat("wave");
  const loop = countLoop(hotLoop(parseCode(kernel.code), multiplyAddsOf), wave, chip);
  const vgprs = stat("VGPRs"), ldsBytes = stat("LDS size");
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const groups = dispatches.map(({ workgroups }) => workgroups);
  const times = dispatches.map((dispatch) => timesOf(dispatch, loop.bound, chip));
  const milliseconds = sum(
    times.map(({ arithmetic, bandwidth }) => Math.max(arithmetic, bandwidth)),
  );
  const bandwidth = sum(times.map(({ bandwidth }) => bandwidth));
  return {
    ...{ name: kernel.name, dispatches: dispatches.length, invocations, wave, vgprs, ldsBytes },
    workgroups: [Math.min(...groups), Math.max(...groups)],
    spilled: stat("Spilled VGPRs") + stat("Spilled SGPRs"),
    scratchBytes: stat("Scratch size"),
    codeBytes: stat("Code size"),
    waves: occupancy(chip, { wave, invocations, vgprs, lds: ldsBytes }),
    loop,
    gigaflops: 2e-9 * sum(dispatches.map(({ multiplyAdds }) => multiplyAdds)),
    megabytes: 1e-6 * sum(dispatches.map(({ bytes }) => bytes)),
    milliseconds,
    leastMilliseconds: sum(times.map(({ least }) => least)),
    limit: milliseconds > bandwidth ? "arithmetic" : "bandwidth",
  };
}

/** Milliseconds of a dispatch; workgroups that do not fill the last round of processors leave some idle. */
function timesOf(
  { workgroups, multiplyAdds, bytes }: CompiledKernel["dispatches"][number],
  bound: number,
  chip: Chip,
) {
  const peak = 2e-9 * multiplyAdds / chip.teraflops;
  const filled = workgroups / (chip.processors * Math.ceil(workgroups / chip.processors));
  const arithmetic = multiplyAdds > 0 && bound > 0 ? peak / (bound * filled) : 0;
  const bandwidth = 1e-6 * bytes / chip.gigabytes;
  return { arithmetic, bandwidth, least: Math.max(peak, bandwidth) };
}

const percent = (share: number) => Number((100 * share).toFixed(1));
const widths = (by: Readonly<Record<string, number>>) =>
  Object.entries(by).map(([bits, n]) => `${n}x${bits}`).join("+") || "-";

/** The table of a step, and a line of its sums. */
export function reportText(reports: readonly KernelReport[], name: ChipName, top?: number): string {
  const chip: Chip = CHIPS[name];
  const all = reports.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const least = reports.reduce((sum, { leastMilliseconds }) => sum + leastMilliseconds, 0);
  const flops = reports.reduce((sum, { gigaflops }) => sum + gigaflops, 0);
  const dispatches = reports.reduce((sum, { dispatches }) => sum + dispatches, 0);
  const rows = reports.slice(0, top).map((report) => {
    const { loop, workgroups: [few, many] } = report;
    return [
      report.name,
      report.dispatches,
      few === many ? `${few}` : `${few}-${many}`,
      percent(report.milliseconds / (all || 1)),
      report.wave,
      report.vgprs,
      report.spilled,
      Number(report.waves.toFixed(1)),
      report.ldsBytes,
      loop.multiplyAdds,
      loop.halfMultiplyAdds,
      loop.otherVector,
      widths(loop.ldsReads),
      loop.ahead ?? "-",
      Number(loop.ldsShare.toFixed(2)),
      report.limit === "bandwidth" ? "bandwidth" : percent(loop.bound),
    ];
  });
  const columns = [
    ...["kernel", "runs", "workgroups", "% of step", "wave", "VGPR", "spills", "waves", "LDS"],
    ...["fma", "of f16", "other", "LDS reads", "ahead", "LDS/fma", "bound %"],
  ];
  return `${formatTable(columns, rows)}
${name} (${chip.card}): ${dispatches} dispatches of ${reports.length} kernels, ${
    flops.toFixed(0)
  } GFLOP in products, ${all.toFixed(1)} ms by the loops' bounds, ${
    least.toFixed(1)
  } ms at the peaks`;
}
